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

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// MaxStreamMessages is how many messages of one stream are being worked on or have
// an answer that is not sent yet. Further ones are not taken in, which holds the
// client back.
const MaxStreamMessages = 256

var errStopping = errors.New("the server is stopping")

// redeemStream is the server's side of RedeemStream.
type redeemStream = grpc.BidiStreamingServer[discountv1.RedeemStreamRequest, discountv1.RedeemStreamResponse]

// RedeemStream works on many messages at once and answers each as soon as it is
// done. When the server stops, it ends the stream once those that it has taken in
// are answered.
func (s *redemptionService) RedeemStream(stream redeemStream) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()

	slots := make(chan struct{}, MaxStreamMessages)
	answers := make(chan *discountv1.RedeemStreamResponse, MaxStreamMessages)
	sent := make(chan error, 1)
	go func() { sent <- sendAnswers(stream, answers, slots, cancel) }()
	received := receive(ctx, stream)

	var working sync.WaitGroup
	err := func() error {
		for {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case m := <-received:
				if m.err != nil {
					return m.err
				}
				working.Go(func() { answers <- s.answer(ctx, m.request) })
			case <-s.stopping.Done():
				// Whoever is waiting for answers gets them; what is sent from now on goes
				// to another server.
				return &domain.UnavailableError{RetryAfter: defaultRetryDelay, Cause: errStopping}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}()
	working.Wait()
	close(answers)
	if sendErr := <-sent; sendErr != nil {
		return sendErr
	}
	if errors.Is(err, io.EOF) {
		return nil // the client has sent all it wanted to
	}
	return err
}

// sendAnswers sends what comes through answers, each of which frees a slot, until
// that is closed. When one cannot be sent it breaks the work off.
func sendAnswers(stream redeemStream, answers <-chan *discountv1.RedeemStreamResponse, slots <-chan struct{}, cancel context.CancelFunc) error {
	var failed error
	for a := range answers {
		if failed == nil {
			if failed = stream.Send(a); failed != nil {
				cancel()
			}
		}
		<-slots
	}
	return failed
}

// streamMessage is what was received from a client.
type streamMessage struct {
	request *discountv1.RedeemStreamRequest
	err     error
}

// receive receives until there is an error, which is the last thing it passes on. A
// channel, so that a server that stops need not wait for a client to speak.
func receive(ctx context.Context, stream redeemStream) <-chan streamMessage {
	out := make(chan streamMessage)
	go func() {
		for {
			request, err := stream.Recv()
			select {
			case out <- streamMessage{request, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
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
