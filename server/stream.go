// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// MaxStreamMessages is how many messages of one stream are being worked on or have
// an answer that is not sent yet. Further ones are not taken in, which holds the
// client back. A message of streamSlotBytes or more counts as several.
const MaxStreamMessages = 256

// streamSlotBytes makes the messages that a stream is working on 4 MiB at most, as
// long as none is larger than that.
const streamSlotBytes = 16 << 10

var errStopping = errors.New("the server is stopping")

// redeemStream is the server's side of RedeemStream.
type redeemStream = grpc.BidiStreamingServer[discountv1.RedeemStreamRequest, discountv1.RedeemStreamResponse]

// RedeemStream works on many messages at once and answers each as soon as it is
// done. When the server stops, it ends the stream once those that it has taken in
// are answered.
func (s *redemptionService) RedeemStream(stream redeemStream) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	w := &streamWork{
		slots:   make(chan struct{}, MaxStreamMessages),
		answers: make(chan streamAnswer, MaxStreamMessages),
	}
	// Whoever is waiting for answers gets them; what is sent from now on goes to
	// another server.
	defer context.AfterFunc(s.stopping, func() {
		w.end(&domain.UnavailableError{RetryAfter: defaultRetryDelay, Cause: errStopping})
	})()
	defer context.AfterFunc(ctx, func() { w.end(ctx.Err()) })()
	// This one may be waiting for the client to speak. It ends with the call.
	go s.takeIn(ctx, stream, w)

	var failed error
	for a := range w.answers {
		if failed == nil {
			if failed = stream.Send(a.response); failed != nil {
				cancel()
			}
		}
		for range a.slots {
			<-w.slots
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
	for w.reserve(ctx, 1) {
		request, err := stream.Recv()
		if err != nil {
			w.end(err)
			return
		}
		slots := 1 + min(proto.Size(request)/streamSlotBytes, MaxStreamMessages-1)
		if !w.reserve(ctx, slots-1) || !w.begin() {
			return
		}
		s.crew.do(func() { w.done(streamAnswer{s.answer(ctx, request), slots}) })
	}
}

// streamAnswer is an answer and how many slots its message has.
type streamAnswer struct {
	response *discountv1.RedeemStreamResponse
	slots    int
}

// streamWork is what one stream has in hand.
type streamWork struct {
	slots   chan struct{}     // one for each that is taken
	answers chan streamAnswer // closed when nothing is in hand any more, and err is set

	mu     sync.Mutex
	inHand int
	ended  bool
	err    error // why nothing more is taken in
}

// reserve takes n slots, and reports whether it could before ctx ended.
func (w *streamWork) reserve(ctx context.Context, n int) bool {
	for range n {
		select {
		case w.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// begin takes a message in, and reports whether it may.
func (w *streamWork) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return false
	}
	w.inHand++
	return true
}

// done answers a message that was taken in.
func (w *streamWork) done(a streamAnswer) {
	w.answers <- a
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inHand--
	w.closeWhenEmpty()
}

// end takes no more messages in, for a reason; the first one counts.
func (w *streamWork) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.ended, w.err = true, err
		w.closeWhenEmpty()
	}
}

func (w *streamWork) closeWhenEmpty() {
	if w.ended && w.inHand == 0 {
		close(w.answers)
	}
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
// its deadline, panics, the errors that clients are told, the log.
func (s *Server) message(ctx context.Context, method string, do func(context.Context) (*discountv1.Redemption, error)) (result *discountv1.Redemption, err error) {
	begin := s.config.Clock()
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, panicked(p)
		}
		s.logCall(ctx, method, begin, err)
	}()
	within, cancel := context.WithTimeout(ctx, s.config.Limits.DefaultDeadline)
	defer cancel()
	if result, err = do(within); err != nil {
		return nil, translate(err, method)
	}
	return result, nil
}
