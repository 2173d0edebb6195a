// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// chain returns the interceptors that every call passes, outermost first. The
// order matters:
//   - calls are logged with what the client is told, so logging is outermost;
//   - a panic anywhere further in is answered and logged as any other failure;
//   - errors become statuses outside of everything that may return one;
//   - the deadline is set last, so that what stands before it costs no time of it.
//
// A stream is as long as its client wants it and gets no deadline.
func (s *Server) chain() []grpc.ServerOption {
	panics := recovery.WithRecoveryHandler(func(p any) error {
		return internal(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
	})
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(
			s.logUnary,
			recovery.UnaryServerInterceptor(panics),
			mapUnaryErrors,
			s.defaultDeadline,
		),
		grpc.ChainStreamInterceptor(
			s.logStream,
			recovery.StreamServerInterceptor(panics),
			mapStreamErrors,
			s.endHealthWatches,
		),
	}
}

func (s *Server) logUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	begin := s.config.Clock()
	resp, err := next(ctx, req)
	s.logCall(ctx, info.FullMethod, begin, err)
	return resp, err
}

func (s *Server) logStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	begin := s.config.Clock()
	err := next(srv, stream)
	s.logCall(stream.Context(), info.FullMethod, begin, err)
	return err
}

// logCall writes one record about a call. A message that was meant for the
// client is not in it: it may say what the client said.
func (s *Server) logCall(ctx context.Context, method string, begin time.Time, err error) {
	code := status.Code(err)
	level := levelOf(code)
	if !s.config.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", method),
		slog.String("code", code.String()),
		// As text: JSON would have a bare number of nanoseconds.
		slog.String("duration", s.config.Clock().Sub(begin).String()),
	}
	if p, ok := peer.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("peer", p.Addr.String()))
	}
	if f, ok := errors.AsType[*clientError](err); ok {
		attrs = append(attrs, slog.String("reason", string(f.reason)))
		if f.cause != nil {
			attrs = append(attrs, slog.String("cause", f.cause.Error()))
		}
	}
	s.config.Logger.LogAttrs(ctx, level, "call", attrs...)
}

// levelOf says how much a call that ended with code concerns those who run the
// service.
func levelOf(code codes.Code) slog.Level {
	switch code {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return slog.LevelError
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return slog.LevelWarn
	default:
		return slog.LevelDebug
	}
}

func mapUnaryErrors(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	resp, err := next(ctx, req)
	if err != nil {
		return nil, translate(err, info.FullMethod)
	}
	return resp, nil
}

func mapStreamErrors(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := next(srv, stream); err != nil {
		return translate(err, info.FullMethod)
	}
	return nil
}

// defaultDeadline bounds calls whose caller does not.
func (s *Server) defaultDeadline(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if _, ok := ctx.Deadline(); ok {
		return next(ctx, req)
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Limits.DefaultDeadline)
	defer cancel()
	return next(ctx, req)
}

// endHealthWatches ends the streams that watch the server's health when it shuts
// down: their clients would never, and the shutdown waits for all calls to end.
func (s *Server) endHealthWatches(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if info.FullMethod != healthpb.Health_Watch_FullMethodName {
		return next(srv, stream)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	return next(srv, &streamInContext{stream, ctx})
}

// streamInContext is a stream with another context.
type streamInContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *streamInContext) Context() context.Context { return s.ctx }
