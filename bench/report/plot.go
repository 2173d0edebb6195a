// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"strings"
	"text/template"
)

//go:embed plot.svg.tmpl
var plotText string

var plotTemplate = template.Must(template.New("plot").Funcs(template.FuncMap{
	"escape": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace,
}).Parse(plotText))

// The measures of the plot, in pixels.
const (
	plotLabels   = 380 // the names on the left
	plotBars     = 500
	plotRow      = 20
	plotTop      = 56
	plotBottom   = 24
	plotNumbers  = 70 // the medians on the right
	plotBarInset = 4
)

// leastRatio is where the axis begins: it is logarithmic, as what is compared
// differs by a factor of a hundred. Whatever is less is drawn there.
const leastRatio = 0.005

// plot is what the template draws.
type plot struct {
	Width, Height, BarsLeft, BarsBottom, Top float64
	BarHeight                                float64
	Ticks                                    []plotTick
	Rows                                     []plotBar
}

type plotTick struct {
	X    float64
	Text string
}

type plotBar struct {
	Name, Value                string
	Y, Middle, Width, From, To float64
	TextY, ValueX              float64
	Product                    bool
}

// SVG returns a plot of every variant's throughput as a share of the empty
// server's, with the range over the rounds.
func (r *Results) SVG() ([]byte, error) {
	most := 1.0
	for i := range r.Variants {
		most = max(most, r.Variants[i].Of(Ratio).Max)
	}
	scale := plotBars / math.Log(most/leastRatio)
	at := func(ratio float64) float64 { return scale * math.Log(max(ratio, leastRatio)/leastRatio) }
	p := plot{
		Width: plotLabels + plotBars + plotNumbers, BarsLeft: plotLabels, Top: plotTop, BarHeight: plotRow - 2*plotBarInset,
	}
	for _, ratio := range []float64{0.01, 0.03, 0.1, 0.3, 1} {
		p.Ticks = append(p.Ticks, plotTick{X: plotLabels + at(ratio), Text: fmt.Sprint(ratio)})
	}
	for i := range r.Variants {
		v := &r.Variants[i]
		if strings.Contains(v.Work, "rate=") {
			continue // its throughput is given
		}
		s := v.Of(Ratio)
		y := plotTop + plotRow*float64(len(p.Rows))
		p.Rows = append(p.Rows, plotBar{
			Name: v.Name, Value: fmt.Sprintf("%.3f", s.Median), Product: strings.HasPrefix(v.Server, "discountd"),
			Y: y + plotBarInset, Middle: y + plotRow/2, TextY: y + plotRow/2 + 4,
			Width: at(s.Median), From: plotLabels + at(s.Min), To: plotLabels + at(s.Max),
			ValueX: plotLabels + at(s.Max) + 6,
		})
	}
	p.BarsBottom = plotTop + plotRow*float64(len(p.Rows))
	p.Height = p.BarsBottom + plotBottom
	var b bytes.Buffer
	if err := plotTemplate.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
