// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/domain"
)

const (
	defaultPageSize = 50
	maxPageSize     = 1000

	queryDigestLength = 9
)

// listRequest is a request for a page of a list.
type listRequest interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// page returns the page that is asked for.
func (r *reader) page(q listRequest) domain.Page {
	p := domain.Page{Size: int(q.GetPageSize())}
	switch {
	case p.Size == 0:
		p.Size = defaultPageSize
	case p.Size < 0, p.Size > maxPageSize:
		r.add("page_size", "must be 1 to %d, or 0 for %d", maxPageSize, defaultPageSize)
	}
	p.Token = readIfGiven(r, "page_token", q.GetPageToken(), func(token string) (string, error) {
		return parsePageToken(q, token)
	})
	return p
}

// writePageToken returns a token that leads to the place that the store marks by
// next, for requests that ask for the same list as q.
func writePageToken(q listRequest, next string) string {
	if next == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(queryDigest(q) + next))
}

// parsePageToken returns the store's mark in a token that writePageToken made.
func parsePageToken(q listRequest, token string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	next, ours := strings.CutPrefix(string(b), queryDigest(q))
	if err != nil || !ours || next == "" {
		return "", errors.New("must be the next_page_token of a page of the same list")
	}
	return next, nil
}

// queryDigest identifies the list that q asks for a page of. Two pages of a list
// may differ in size.
func queryDigest(q listRequest) string {
	list := proto.Clone(q).ProtoReflect()
	fields := list.Descriptor().Fields()
	list.Clear(fields.ByName("page_size"))
	list.Clear(fields.ByName("page_token"))
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(list.Interface())
	if err != nil {
		panic("server: a request that was received does not serialize: " + err.Error())
	}
	sum := sha256.Sum256(append(b, list.Descriptor().FullName()...))
	return string(sum[:queryDigestLength])
}
