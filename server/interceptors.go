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

// chain returns the interceptors that every call passes. What they do has an order,
// outermost first:
//   - calls are logged with what the client is told, so logging is outermost;
//   - a panic anywhere further in is answered and logged as any other failure;
//   - errors become statuses outside of everything that may return one;
//   - the deadline is set last, so that what stands before it costs no time of it.
//
// For unary calls one interceptor does it all: a chain has a frame and a closure more
// for each of its links, and the stack of a call that waits is to be short. A stream is
// as long as its client wants it and gets no deadline.
func (s *Server) chain() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(
			s.logStream,
			recovery.StreamServerInterceptor(recovery.WithRecoveryHandler(panicked)),
			mapStreamErrors,
			s.endHealthWatches,
		),
	}
}

// panicked is what a client is told of a panic, with the stack of the panic.
func panicked(p any) error { return internal(fmt.Errorf("panic: %v\n%s", p, debug.Stack())) }

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	begin := s.config.Clock()
	resp, err := s.answer(ctx, req, info, next)
	s.logCall(ctx, info.FullMethod, begin, err)
	return resp, err
}

// answer returns the answer to a call or a status, whatever its handler does. It
// bounds calls whose caller does not.
func (s *Server) answer(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, panicked(p)
		}
	}()
	if _, ok := ctx.Deadline(); !ok {
		within, cancel := context.WithTimeout(ctx, s.config.Limits.DefaultDeadline)
		defer cancel()
		ctx = within
	}
	if resp, err = next(ctx, req); err != nil {
		return nil, translate(err, info.FullMethod)
	}
	return resp, nil
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
	f, told := errors.AsType[*clientError](err)
	if told && f.reason == ReasonServerStopping {
		level = slog.LevelDebug // as it was told to
	}
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
	if told {
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

func mapStreamErrors(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := next(srv, stream); err != nil {
		return translate(err, info.FullMethod)
	}
	return nil
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
