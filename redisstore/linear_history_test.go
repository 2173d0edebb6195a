// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/discountd/discountd/domain"
)

// A history is what clients have asked and been told at the same time. It is
// linearizable when there is an order of all calls, each between its beginning
// and its end, in which the specification returns what they were told.

// request is a command in a form that one process can tell another.
type request struct {
	Kind     string
	Coupon   domain.CouponID
	Code     domain.PromotionCodeID
	Form     string
	Customer string
	ID       string // of the request
	Tag      string // of a creation, by which it is found when it was not acknowledged
	Limit    int64  // 0 is none
	Budget   int64  // 0 is none
	// Redemption is the one to commit, release or void, for Amount unless it is 0.
	Redemption domain.RedemptionID
	Amount     int64
	TTL        time.Duration
}

// limit is the request's limit as a command has it.
func (r request) limit() *int64 {
	if r.Limit == 0 {
		return nil
	}
	return &r.Limit
}

// amount is the request's amount as a command has it.
func (r request) amount() *int64 {
	if r.Amount == 0 {
		return nil
	}
	return &r.Amount
}

func (r request) redemption() domain.RedemptionName {
	return domain.RedemptionName{Coupon: r.Coupon, ID: r.Redemption}
}

func (r request) budgets() []domain.Budget {
	if r.Budget == 0 {
		return nil
	}
	return []domain.Budget{{Limit: euros(r.Budget)}}
}

func (r request) name() domain.PromotionCodeName {
	return domain.PromotionCodeName{Coupon: r.Coupon, ID: r.Code}
}

// command is what a store, or the specification, carries out.
func (r request) command() domain.Command {
	switch r.Kind {
	case "create coupon":
		c := percentOff(r.Coupon, func(c *domain.Coupon) { c.MaxRedemptions = r.limit() }, limitedPerCustomerTo(3))
		if c.Budgets = r.budgets(); c.Budgets != nil {
			c.PeriodLimits = []domain.PeriodLimit{{Period: domain.PeriodDay, MaxRedemptions: 7}}
		}
		return domain.CreateCoupon{RequestID: r.ID, Coupon: c}
	case "limit coupon":
		return domain.UpdateCoupon{RequestID: r.ID, ID: r.Coupon, Set: domain.CouponFields{MaxRedemptions: true}, MaxRedemptions: r.limit()}
	case "budget":
		return domain.UpdateCoupon{RequestID: r.ID, ID: r.Coupon, Set: domain.CouponFields{Budgets: true}, Budgets: r.budgets()}
	case "delete coupon":
		return domain.DeleteCoupon{RequestID: r.ID, ID: r.Coupon}
	case "get coupon":
		return domain.GetCoupon{ID: r.Coupon}
	case "ledger":
		return domain.RedemptionQuery{Coupon: r.Coupon}
	case "create":
		p := promotionCode(r.Coupon, r.Form, boundToID(r.Customer))
		p.MaxRedemptions, p.Metadata = r.limit(), map[string]string{"tag": r.Tag}
		return domain.CreatePromotionCode{RequestID: r.ID, PromotionCode: p}
	case "activate":
		return domain.ActivatePromotionCode{RequestID: r.ID, Name: r.name()}
	case "deactivate":
		return domain.DeactivatePromotionCode{RequestID: r.ID, Name: r.name()}
	case "delete":
		return domain.DeletePromotionCode{RequestID: r.ID, Name: r.name()}
	case "limit":
		return domain.UpdatePromotionCode{RequestID: r.ID, Name: r.name(), Set: domain.PromotionCodeFields{MaxRedemptions: true}, MaxRedemptions: r.limit()}
	case "get":
		return domain.GetPromotionCode{Name: r.name()}
	case "commit":
		return domain.CommitRedemption{RequestID: r.ID, Name: r.redemption(), Amount: r.amount()}
	case "release":
		return domain.ReleaseRedemption{RequestID: r.ID, Name: r.redemption()}
	case "void":
		return domain.VoidRedemption{RequestID: r.ID, Name: r.redemption(), Amount: r.amount(), Reason: "refund"}
	case "get redemption":
		return domain.GetRedemption{Name: r.redemption()}
	case "redeem", "validate", "reserve":
		v := domain.ValidateRequest{Customer: domain.Customer{ID: r.Customer}, Order: orderOf(4_000)}
		switch {
		case r.Form != "":
			v.Source.Code = r.Form
		case r.Code != "":
			v.Source.PromotionCode = r.name()
		default:
			v.Source.Coupon = r.Coupon
		}
		redeem := domain.RedeemRequest{RequestID: r.ID, ValidateRequest: v}
		switch r.Kind {
		case "validate":
			return v
		case "reserve":
			return reserveFor(r.TTL, redeem)
		}
		return redeem
	}
	panic("no request of the kind " + r.Kind)
}

// happening is a call: who asked what between which instants, and what was told.
// The instants are of a clock that all clients share and that goes on at each look.
type happening struct {
	Client       int
	Group        string
	Began, Ended int64 // Ended is 0 when nobody was told
	// Now is what the clock of all servers showed meanwhile, in milliseconds.
	Now     int64
	Request request
	Answer  told
}

// told is what a store or the specification returns, as text, without what the
// specification leaves open.
type told struct {
	Text string
	// Code is the promotion code that was created.
	Code domain.PromotionCodeID
	// Holder is the promotion code that a refusal names as holding the code.
	Holder string
	// View is how the promotion code or coupon looked when it was read for the
	// answer to a change, which is later than the change.
	View string
}

func answerTo(q request, r domain.Result) told {
	if r.Err != nil {
		a := told{Text: errorText(q, r.Err)}
		if held := new(domain.AlreadyExistsError); errors.As(r.Err, &held) {
			a.Holder = held.Name
		}
		return a
	}
	switch v := r.Value.(type) {
	case domain.CouponView:
		text := fmt.Sprintf("v%d deleted=%t valid=%t redeemed=%d reserved=%d limit=%s spent=%v of %v",
			v.Version, v.Deleted, v.Valid, v.Redeemed, v.Held, limitText(v.MaxRedemptions), v.Spent, v.Budgets)
		return viewOrChange(q, text, "get coupon", "")
	case domain.PromotionCodeView:
		text := fmt.Sprintf("%s %c redeemed=%d reserved=%d limit=%s status=%d", v.Name.ID, v.State, v.Redeemed, v.Held, limitText(v.MaxRedemptions), v.Status)
		return viewOrChange(q, text, "get", v.Name.ID)
	case domain.Redemption:
		return told{Text: fmt.Sprintf("%s of %q by %q, %d off, %d voided, %c, v%d",
			v.Name, v.PromotionCode, v.RequestID, v.Discount.TotalAmountMinor, v.VoidedAmountMinor, v.State, v.CouponVersion)}
	case domain.Evaluation:
		return told{Text: fmt.Sprintf("%s %s %v %+v", v.Coupon, v.PromotionCode, v.Ineligibilities, v.Discount)}
	case domain.Listing[domain.Redemption]:
		var names []string
		for _, i := range v.Items {
			names = append(names, string(i.Name.ID))
		}
		return told{Text: strings.Join(names, " ")}
	}
	panic(fmt.Sprintf("no text for a %T", r.Value))
}

func viewOrChange(q request, text, read string, id domain.PromotionCodeID) told {
	if q.Kind == read {
		return told{Text: text}
	}
	return told{Text: "ok " + string(id), Code: id, View: text}
}

const (
	abortedText = "aborted"
	unknownText = "unknown"
	awayText    = "unavailable"
)

func errorText(q request, err error) string {
	var held *domain.AlreadyExistsError
	var away *domain.UnavailableError
	switch {
	case errors.Is(err, domain.ErrAborted):
		return abortedText
	case errors.As(err, &away) && away.OutcomeUnknown:
		return unknownText
	case away != nil:
		return awayText
	case errors.As(err, &held) && held.Code != "":
		return "held" // by whom is left open when there are several
	case isError[*domain.RefusedError](err) && q.Form != "":
		return "refused" // for the sake of whom is left open while a code changes hands
	default:
		return err.Error()
	}
}

// agrees reports whether a store may answer got where the specification answers
// want. A promotion code that is PENDING is not ACTIVE yet.
func agrees(got, want string) bool {
	if got == want {
		return true
	}
	id, rest, pending := strings.Cut(got, " P ")
	wantID, wantRest, ok := strings.Cut(want, " I ")
	counters, _, _ := strings.Cut(rest, " status")
	return pending && ok && wantID == id && strings.HasPrefix(wantRest, counters+" status")
}

// linearInput is one operation of a history for the checker.
type linearInput struct {
	command domain.Command
	request request
	ids     domain.IDs
	now     time.Time
	// givesWay marks the first move of a command that takes a code.
	givesWay bool
	// mayHaveBeen is whether a command that was aborted may have taken effect.
	mayHaveBeen bool
}

// linearState is a state of the specification with its hash, by which the checker
// tells most states apart.
type linearState struct {
	domain.State
	hash uint64
}

func hashed(s domain.State) linearState { return linearState{s, s.Hash()} }

func (s linearState) equal(t linearState) bool { return s.hash == t.hash && s.Equal(t.State) }

// linearModel steps the specification. An answer may leave several states
// possible: of a call without an answer it is open whether it took effect.
func linearModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{hashed(domain.State{})} },
		Step: func(state, input, output any) []any {
			s, in, got := state.(linearState), input.(linearInput), output.(string)
			var out []any
			if in.givesWay {
				for _, left := range s.GiveWay(in.now, in.command) {
					out = append(out, hashed(left))
				}
				return out
			}
			if got == abortedText || got == unknownText || got == awayText {
				out = append(out, s)
			}
			for _, o := range s.Outcomes(in.now, in.ids, in.command) {
				switch want := answerTo(in.request, o.Result).Text; {
				case got == unknownText && o.Result.Err == nil, want == abortedText && got == want && in.mayHaveBeen, agrees(got, want):
					out = append(out, hashed(o.State))
				}
			}
			return out
		},
		Equal: func(a, b any) bool { return a.(linearState).equal(b.(linearState)) },
		Hash:  func(s any) uint64 { return s.(linearState).hash },
		DescribeOperation: func(input, output any) string {
			return fmt.Sprintf("%+v -> %s", input.(linearInput).request, output)
		},
	}
	return m.ToModel()
}

// operations are a history as the checker takes it. left are the promotion codes
// that it has left behind, by the tags of their creations.
//
// What others may see of a command on its way to success or failure is left open
// only where somebody has seen it: the fewer states are possible, the faster is
// the search for an order, and an order that is found then is one all the same.
func operations(history []happening, left map[string]domain.PromotionCodeView, now time.Time) []porcupine.Operation {
	var out []porcupine.Operation
	gaveWay := whenGivenWay(history, left)
	for i := range history {
		h := &history[i]
		at := now
		if h.Now != 0 {
			at = time.UnixMilli(h.Now)
		}
		code := cmp.Or(h.Answer.Code, left[h.Request.Tag].Name.ID, "zzzzzzzz")
		in := linearInput{
			command: h.Request.command(), request: h.Request, ids: domain.IDs{PromotionCode: code}, now: at,
			mayHaveBeen: h.Answer.Text == abortedText && seenActive(history, h, cmp.Or(h.Request.Code, code)),
		}
		op := porcupine.Operation{ClientId: h.Client, Call: h.Began, Return: h.end(), Input: in, Output: cmp.Or(h.Answer.Text, unknownText)}
		out = append(out, op)
		if h.takes() && slices.ContainsFunc(gaveWay, h.overlaps) {
			in.givesWay = true
			out = append(out, porcupine.Operation{ClientId: h.Client, Call: h.Began, Return: h.end(), Input: in, Output: "gives way"})
		}
		if mayBeReplayed(history, h) {
			out = append(out, porcupine.Operation{ClientId: h.Client, Call: h.Began, Return: h.end(), Input: in, Output: unknownText})
		}
		if h.Answer.View != "" && h.Began%4 == 0 { // some do
			out = append(out, viewOperation(op, h, code))
		}
	}
	return out
}

// mayBeReplayed reports whether a call may have taken effect before what it answers
// was so: its reply was lost, the redemption was changed by another call, and the
// store, which sent the request again by itself, was told how the redemption is now.
func mayBeReplayed(history []happening, h *happening) bool {
	redemption, _, shows := strings.Cut(h.Answer.Text, " of ")
	return shows && slices.ContainsFunc(history, func(o happening) bool { return o.Answer.Text == unknownText || o.Answer.Text == awayText }) &&
		slices.ContainsFunc(history, func(o happening) bool {
			return o.Client != h.Client && o.Request.Redemption != "" && o.Request.Kind != "get redemption" &&
				o.Request.redemption().String() == redemption && o.overlaps(span{h.Began, h.end()})
		})
}

// span is the time between two looks at the clock.
type span struct{ from, to int64 }

// end is when a call had certainly no effect any more.
func (h *happening) end() int64 {
	if h.Ended == 0 || h.Answer.Text == unknownText {
		return math.MaxInt64
	}
	return h.Ended
}

func (h *happening) overlaps(s span) bool { return h.Began < s.to && s.from < h.end() }

// takes reports whether a call may have got as far as to ask the holders of a code
// for it.
func (h *happening) takes() bool {
	if h.Request.Kind != "create" && h.Request.Kind != "activate" {
		return false
	}
	text := h.Answer.Text
	return text == "" || text == "held" || text == abortedText || text == unknownText || strings.HasPrefix(text, "ok")
}

// sees returns the state of a promotion code that an answer shows, 0 if none.
func (h *happening) sees(name domain.PromotionCodeName) byte {
	if strings.Contains(h.Answer.Text, fmt.Sprintf(" of %q by ", name.ID)) || h.Answer.Holder == name.String() {
		return 'A'
	}
	for _, text := range []string{h.Answer.Text, h.Answer.View} {
		if rest, ok := strings.CutPrefix(text, string(name.ID)+" "); ok {
			return rest[0]
		}
	}
	if h.Request.name() == name && strings.Contains(h.Answer.Text, "is not active") {
		return 'S'
	}
	return 0
}

// tellsOfThePast reports whether an answer may name a promotion code that was
// ACTIVE once, and no longer is: that of a redemption.
func (h *happening) tellsOfThePast() bool {
	switch h.Request.Kind {
	case "redeem", "reserve", "commit", "release", "void", "get redemption":
		return true
	}
	return false
}

// seenActive reports whether, while a call was under way, anybody saw a promotion
// code as ACTIVE.
func seenActive(history []happening, h *happening, code domain.PromotionCodeID) bool {
	name := domain.PromotionCodeName{Coupon: h.Request.Coupon, ID: code}
	for i := range history {
		if other := &history[i]; other.overlaps(span{h.Began, h.end()}) && other.sees(name) == 'A' {
			return true
		}
	}
	return false
}

// whenGivenWay returns, for each promotion code that somebody has seen SUPERSEDED,
// the time in which it became so.
func whenGivenWay(history []happening, left map[string]domain.PromotionCodeView) []span {
	var out []span
	for _, p := range left {
		s := span{to: math.MaxInt64}
		for i := range history {
			h := &history[i]
			if h.tellsOfThePast() {
				continue
			}
			switch h.sees(p.Name) {
			case 0:
			case 'S':
				s.to = min(s.to, h.end())
			default:
				s.from = max(s.from, h.Began)
			}
		}
		if s.to < math.MaxInt64 {
			out = append(out, s)
		}
	}
	return out
}

// viewOperation is the read by which the answer to a change was made.
func viewOperation(op porcupine.Operation, h *happening, code domain.PromotionCodeID) porcupine.Operation {
	read := request{Kind: "get", Coupon: h.Request.Coupon, Code: code}
	if strings.HasSuffix(h.Request.Kind, "coupon") || h.Request.Kind == "budget" {
		read = request{Kind: "get coupon", Coupon: h.Request.Coupon}
	}
	in := op.Input.(linearInput)
	op.Input = linearInput{command: read.command(), request: read, now: in.now}
	op.Output = h.Answer.View
	return op
}

// checkHistories holds histories, each of things that have nothing to do with
// those of the others, against the specification. An unknown verdict is a failure.
func checkHistories(t testing.TB, histories map[string][]porcupine.Operation, within time.Duration) {
	t.Helper()
	var running sync.WaitGroup
	slots := make(chan struct{}, 2)
	for name, ops := range histories {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
			verdict, info := porcupine.CheckOperationsVerbose(linearModel(), ops, within)
			if verdict != porcupine.Ok {
				t.Errorf("%s: %d operations: %s\n%s", name, len(ops), verdict, around(ops, info))
			}
		})
	}
	running.Wait()
}

// around shows a history, and what no order explains.
func around(ops []porcupine.Operation, info porcupine.LinearizationInfo) string {
	var longest []int
	for _, partial := range info.PartialLinearizations()[0] {
		if len(partial) > len(longest) {
			longest = partial
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d can be ordered; those that are not are marked\n", len(longest), len(ops))
	for i, op := range ops {
		mark := "*"
		if slices.Contains(longest, i) {
			mark = " "
		}
		fmt.Fprintf(&b, "%s %6d..%-6d client %d %+v -> %s\n", mark, op.Call, op.Return, op.ClientId, op.Input.(linearInput).request, op.Output)
	}
	return b.String()
}
