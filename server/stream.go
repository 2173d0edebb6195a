// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// ErrStopping ends the streams of a server that shuts down, once all messages that it
// has taken in are answered.
var ErrStopping = errors.New("the server is stopping; go on with another stream")

// redeemStream is the server's side of RedeemStream.
type redeemStream = grpc.BidiStreamingServer[discountv1.RedeemStreamRequest, discountv1.RedeemStreamResponse]

// RedeemStream works on many messages at once and answers each as soon as it is
// done. When the server stops, it ends the stream once those that it has taken in
// are answered.
func (s *redemptionService) RedeemStream(stream redeemStream) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	w := newStreamWork()
	// Whoever is waiting for answers gets them; what is sent from now on goes to
	// another server.
	defer context.AfterFunc(s.stopping, func() { w.end(ErrStopping) })()
	defer context.AfterFunc(ctx, func() { w.end(ctx.Err()) })()
	// This one may be waiting for the client to speak. It ends with the call.
	go s.takeIn(ctx, stream, w)

	var failed error
	for answers := w.next(nil); len(answers) > 0; answers = w.next(answers) {
		for _, a := range answers {
			if failed != nil {
				break
			}
			if failed = stream.Send(a.response); failed != nil {
				cancel()
			}
		}
	}
	if failed != nil {
		return failed
	}
	if errors.Is(w.err, io.EOF) {
		return nil // the client has sent all it wanted to
	}
	return w.err
}

// takeIn receives messages and has each worked on, until there is an error.
func (s *redemptionService) takeIn(ctx context.Context, stream redeemStream, w *streamWork) {
	within := deadlines{parent: ctx, within: s.within}
	for w.reserve(1) {
		request, err := stream.Recv()
		if err != nil {
			w.end(err)
			return
		}
		slots := 1 + min(proto.Size(request)/streamSlotBytes, MaxStreamMessages-1)
		if !w.begin(slots - 1) {
			return
		}
		ctx := within.next()
		s.crew.do(func() { w.done(streamAnswer{s.answer(ctx, request), slots}) })
	}
}

// deadlines gives messages that come shortly after one another one deadline: to set
// one for each costs as much as to read it.
type deadlines struct {
	parent context.Context
	within time.Duration

	current context.Context
	since   time.Time
}

// next returns a context for a message that comes now. It ends when the time is over
// that a message has, or up to a hundredth earlier.
func (d *deadlines) next() context.Context {
	now := time.Now()
	if d.current == nil || now.Sub(d.since) >= d.within/100 {
		ctx, cancel := context.WithTimeout(d.parent, d.within)
		context.AfterFunc(ctx, cancel) // nobody ends it earlier: other messages have it, too
		d.current, d.since = ctx, now
	}
	return d.current
}

// answer does what one message asks for.
func (s *redemptionService) answer(ctx context.Context, request *discountv1.RedeemStreamRequest) *discountv1.RedeemStreamResponse {
	id, method, do := s.commandOf(request)
	redemption, err := s.message(ctx, method, do)
	answer := &discountv1.RedeemStreamResponse{RequestId: id}
	if err != nil {
		p := status.Convert(err).Proto()
		answer.Result = &discountv1.RedeemStreamResponse_Error{Error: &discountv1.RedeemStreamError{
			Code: p.GetCode(), Message: p.GetMessage(), Details: p.GetDetails(),
		}}
		return answer
	}
	answer.Result = &discountv1.RedeemStreamResponse_Redemption{Redemption: redemption}
	return answer
}

// commandOf returns the request id of a message, the method that it is a call of,
// and what that does.
func (s *redemptionService) commandOf(request *discountv1.RedeemStreamRequest) (id, method string, do func(context.Context) (*discountv1.Redemption, error)) {
	switch c := request.GetCommand().(type) {
	case *discountv1.RedeemStreamRequest_Redeem:
		return c.Redeem.GetRequestId(), discountv1.RedemptionService_Redeem_FullMethodName, func(ctx context.Context) (*discountv1.Redemption, error) {
			return call(ctx, s.hasher, c.Redeem, readRedeem, s.redemptions.Redeem, writeRedemption)
		}
	case *discountv1.RedeemStreamRequest_ReserveRedemption:
		return c.ReserveRedemption.GetRequestId(), discountv1.RedemptionService_ReserveRedemption_FullMethodName, func(ctx context.Context) (*discountv1.Redemption, error) {
			return call(ctx, s.hasher, c.ReserveRedemption, readReserveRedemption, s.reservations.Reserve, writeRedemption)
		}
	case *discountv1.RedeemStreamRequest_CommitRedemption:
		return c.CommitRedemption.GetRequestId(), discountv1.RedemptionService_CommitRedemption_FullMethodName, func(ctx context.Context) (*discountv1.Redemption, error) {
			return call(ctx, s.hasher, c.CommitRedemption, readCommitRedemption, s.reservations.Commit, writeRedemption)
		}
	case *discountv1.RedeemStreamRequest_ReleaseRedemption:
		return c.ReleaseRedemption.GetRequestId(), discountv1.RedemptionService_ReleaseRedemption_FullMethodName, func(ctx context.Context) (*discountv1.Redemption, error) {
			return call(ctx, s.hasher, c.ReleaseRedemption, readReleaseRedemption, s.reservations.Release, writeRedemption)
		}
	case *discountv1.RedeemStreamRequest_VoidRedemption:
		return c.VoidRedemption.GetRequestId(), discountv1.RedemptionService_VoidRedemption_FullMethodName, func(ctx context.Context) (*discountv1.Redemption, error) {
			return call(ctx, s.hasher, c.VoidRedemption, readVoidRedemption, s.redemptions.Void, writeRedemption)
		}
	default:
		return "", discountv1.RedemptionService_RedeemStream_FullMethodName, func(context.Context) (*discountv1.Redemption, error) {
			var v domain.Violations
			v.Add("command", "is required: exactly one")
			return nil, v.Err()
		}
	}
}

// message does for one message of a stream what the interceptors do for a call:
// panics, the errors that clients are told, the log.
func (s *Server) message(ctx context.Context, method string, do func(context.Context) (*discountv1.Redemption, error)) (result *discountv1.Redemption, err error) {
	begin := s.config.Clock()
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, panicked(p)
		}
		s.logCall(ctx, method, begin, err)
	}()
	if result, err = do(ctx); err != nil {
		return nil, translate(err, method)
	}
	return result, nil
}
