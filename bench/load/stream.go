// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// streamer redeems over one stream that its callers share.
type streamer struct {
	redemptions
	stream grpc.BidiStreamingClient[discountv1.RedeemStreamRequest, discountv1.RedeemStreamResponse]

	sending sync.Mutex
	mu      sync.Mutex
	waiting map[string]chan *discountv1.RedeemStreamResponse // by request id
	err     error                                            // why no more answers come
}

func newStreamer(ctx context.Context, service discountv1.RedemptionServiceClient, r redemptions) (*streamer, error) {
	stream, err := service.RedeemStream(ctx)
	if err != nil {
		return nil, err
	}
	s := &streamer{redemptions: r, stream: stream, waiting: map[string]chan *discountv1.RedeemStreamResponse{}}
	go s.receive()
	return s, nil
}

// receive hands answers out until the stream ends.
func (s *streamer) receive() {
	for {
		answer, err := s.stream.Recv()
		s.mu.Lock()
		if err != nil {
			s.err = err
			for _, waiting := range s.waiting {
				close(waiting)
			}
			s.mu.Unlock()
			return
		}
		waiting := s.waiting[answer.GetRequestId()]
		delete(s.waiting, answer.GetRequestId())
		s.mu.Unlock()
		if waiting != nil {
			waiting <- answer
		}
	}
}

func (s *streamer) call(ctx context.Context, n uint64) error {
	answered := make(chan *discountv1.RedeemStreamResponse, 1)
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return s.err
	}
	s.waiting[s.id(n)] = answered
	s.mu.Unlock()

	s.sending.Lock()
	err := s.stream.Send(&discountv1.RedeemStreamRequest{Command: &discountv1.RedeemStreamRequest_Redeem{Redeem: s.request(n)}})
	s.sending.Unlock()
	if err != nil {
		return err
	}
	select {
	case answer, ok := <-answered:
		if !ok {
			return fmt.Errorf("the stream ended: %w", s.err)
		}
		if e := answer.GetError(); e != nil {
			return status.Error(codes.Code(uint32(e.GetCode())), e.GetMessage())
		}
		return checkRedemption(answer.GetRedemption())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
