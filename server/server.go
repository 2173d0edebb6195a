// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package server is the gRPC face of discountd: it turns requests into the
// commands and queries of package domain, has a [Store] carry them out, and
// turns what comes back into answers and errors.
//
// A handler is three steps named in one line: read the request, do it, write the
// answer. Reading collects everything that is wrong with a request before
// anything is done. Handlers return the errors of package domain; one
// interceptor makes a gRPC status of them.
package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// Config is what a Server is made of. Every field but Limits and StreamWorkers is
// required.
type Config struct {
	// Store carries out what is asked for.
	Store Store
	// Hasher turns e-mail addresses into keyed hashes; no address goes further
	// than this package.
	Hasher domain.Hasher
	// Logger gets one record for every call: at level Debug when it went well or
	// the caller can mend it, Warn when the service was not able to, Error when
	// something is wrong with the service. No code, e-mail address or key is in
	// any of them.
	Logger *slog.Logger
	// Clock measures how long calls take.
	Clock func() time.Time
	// Limits bounds what clients can ask of the server.
	Limits Limits
	// StreamWorkers is how many goroutines are kept for calls, and as many again for
	// messages of streams. What finds none free gets a goroutine of its own, so this
	// bounds nothing: it saves growing a stack every time. 0 keeps none.
	StreamWorkers uint32
}

// Limits bounds what clients can ask of a server. A field that is zero has its
// default.
type Limits struct {
	// MaxMessageBytes is the size of the largest request. Default 256 KiB.
	MaxMessageBytes int
	// MaxHeaderBytes is the size of a request's headers together. Default 16 KiB.
	MaxHeaderBytes uint32
	// MaxConcurrentStreams is the number of calls in flight on one connection;
	// a client holds back the others. Default 1,000.
	MaxConcurrentStreams uint32
	// DefaultDeadline is the time that a call may take when the caller set no
	// deadline. Default 5 s.
	DefaultDeadline time.Duration
	// MaxConnectionAge is when a connection is closed, so that clients spread
	// over servers that came later. Calls in flight have MaxConnectionAgeGrace to
	// end. Default 30 min and 30 s.
	MaxConnectionAge      time.Duration
	MaxConnectionAgeGrace time.Duration
	// MinPingInterval is how often a client may ping; one that pings more often
	// is disconnected. Default 10 s.
	MinPingInterval time.Duration
	// PingInterval is after how much silence the server pings a client, and
	// PingTimeout how long it waits for the answer before it disconnects. Default
	// 1 min and 10 s.
	PingInterval time.Duration
	PingTimeout  time.Duration
	// HandshakeTimeout is the time that a new connection may take to be ready.
	// Default 10 s.
	HandshakeTimeout time.Duration
}

func (l Limits) withDefaults() Limits {
	return Limits{
		MaxMessageBytes:       cmp.Or(l.MaxMessageBytes, 256<<10),
		MaxHeaderBytes:        cmp.Or(l.MaxHeaderBytes, 16<<10),
		MaxConcurrentStreams:  cmp.Or(l.MaxConcurrentStreams, 1000),
		DefaultDeadline:       cmp.Or(l.DefaultDeadline, 5*time.Second),
		MaxConnectionAge:      cmp.Or(l.MaxConnectionAge, 30*time.Minute),
		MaxConnectionAgeGrace: cmp.Or(l.MaxConnectionAgeGrace, 30*time.Second),
		MinPingInterval:       cmp.Or(l.MinPingInterval, 10*time.Second),
		PingInterval:          cmp.Or(l.PingInterval, time.Minute),
		PingTimeout:           cmp.Or(l.PingTimeout, 10*time.Second),
		HandshakeTimeout:      cmp.Or(l.HandshakeTimeout, 10*time.Second),
	}
}

// Server serves the API. Its health is NOT_SERVING until SetServing says
// otherwise.
type Server struct {
	config Config
	grpc   *grpc.Server
	health *health.Server

	// stopping ends when Shutdown begins.
	stopping context.Context
	stop     context.CancelFunc
}

// New returns a Server that is ready to Serve, or an error that names the field
// of config that is missing.
func New(config Config) (*Server, error) {
	switch {
	case config.Store == nil:
		return nil, errors.New("server: Config.Store is missing")
	case config.Hasher == (domain.Hasher{}):
		return nil, errors.New("server: Config.Hasher is missing")
	case config.Logger == nil:
		return nil, errors.New("server: Config.Logger is missing")
	case config.Clock == nil:
		return nil, errors.New("server: Config.Clock is missing")
	}
	config.Limits = config.Limits.withDefaults()

	s := &Server{config: config, health: health.NewServer()}
	s.stopping, s.stop = context.WithCancel(context.Background())
	options := append(s.config.Limits.options(), s.chain()...)
	s.grpc = grpc.NewServer(append(options, grpc.NumStreamWorkers(config.StreamWorkers))...)

	discountv1.RegisterCouponServiceServer(s.grpc, &couponService{
		hasher:         config.Hasher,
		coupons:        config.Store,
		promotionCodes: config.Store,
		activator:      config.Store,
	})
	discountv1.RegisterRedemptionServiceServer(s.grpc, &redemptionService{
		hasher:        config.Hasher,
		redemptions:   config.Store,
		reservations:  config.Store,
		subscriptions: config.Store,
		credit:        config.Store,
		crew:          newCrew(int(config.StreamWorkers), s.stopping.Done()),
		within:        s.config.Limits.DefaultDeadline,
		message:       s.message,
		stopping:      s.stopping,
	})
	discountv1.RegisterCreditServiceServer(s.grpc, &creditService{
		hasher:    config.Hasher,
		cards:     config.Store,
		activator: config.Store,
		credit:    config.Store,
	})
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	s.SetServing(false)
	return s, nil
}

func (l Limits) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(l.MaxMessageBytes),
		grpc.MaxHeaderListSize(l.MaxHeaderBytes),
		grpc.MaxConcurrentStreams(l.MaxConcurrentStreams),
		grpc.ConnectionTimeout(l.HandshakeTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime:             l.MinPingInterval,
			PermitWithoutStream: true,
		}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge:      l.MaxConnectionAge,
			MaxConnectionAgeGrace: l.MaxConnectionAgeGrace,
			Time:                  l.PingInterval,
			Timeout:               l.PingTimeout,
		}),
	}
}

// SetServing sets what the health service says of the server and of each of its
// services. After Shutdown it changes nothing.
func (s *Server) SetServing(serving bool) {
	status := healthpb.HealthCheckResponse_NOT_SERVING
	if serving {
		status = healthpb.HealthCheckResponse_SERVING
	}
	for service := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(service, status)
	}
	s.health.SetServingStatus("", status) // the server as a whole
}

// Serve answers calls on the listener until Shutdown, and then returns nil, at once
// when Shutdown came first. It closes the listener.
func (s *Server) Serve(listener net.Listener) error {
	err := s.grpc.Serve(listener)
	if errors.Is(err, grpc.ErrServerStopped) && s.stopping.Err() != nil {
		return nil
	}
	return err
}

// Shutdown takes no more calls, tells clients so, and returns when those in
// flight have ended. When ctx ends first, it breaks them off and returns the
// error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.health.Shutdown()
	s.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.grpc.GracefulStop()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		<-ended
		return ctx.Err()
	}
}
