// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package privateredis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const clusterSlots = 16384

// Cluster is a set of servers that share the slots, each a master without
// replicas.
type Cluster struct{ nodes []*Server }

// StartCluster starts n masters, each in a directory of its own below dir, divides
// the slots evenly, and waits until every node says that the cluster is complete.
// Of config, Dir, Socket, Port and Cluster are its own to choose.
func StartCluster(ctx context.Context, n int, dir string, config Config) (*Cluster, error) {
	c := &Cluster{}
	for i := range n {
		config.Dir = filepath.Join(dir, "node"+strconv.Itoa(i))
		if err := os.Mkdir(config.Dir, 0o700); err != nil {
			return nil, errors.Join(err, c.Kill())
		}
		config.Socket, config.Cluster = "", true
		node, err := StartTCP(ctx, config)
		if err != nil {
			return nil, errors.Join(err, c.Kill())
		}
		c.nodes = append(c.nodes, node)
	}
	if err := c.join(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("form a cluster: %w", err), c.Kill())
	}
	return c, nil
}

// join makes one cluster of the nodes.
func (c *Cluster) join(ctx context.Context) error {
	clients := make([]*redis.Client, len(c.nodes))
	for i, node := range c.nodes {
		clients[i] = node.Client()
		defer clients[i].Close()
	}
	for i, client := range clients {
		first, last := i*clusterSlots/len(clients), (i+1)*clusterSlots/len(clients)-1
		if err := client.ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
			return err
		}
		// Epochs of their own spare the nodes a round of resolving that they are all 0.
		if err := client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		port := strconv.Itoa(c.nodes[i].config.Port)
		if err := clients[0].ClusterMeet(ctx, "127.0.0.1", port).Err(); err != nil {
			return err
		}
	}
	for _, client := range clients {
		if err := awaitComplete(ctx, client, len(clients)); err != nil {
			return err
		}
	}
	return nil
}

// awaitComplete polls a node until it knows n nodes and sees every slot served.
func awaitComplete(ctx context.Context, client *redis.Client, n int) error {
	want := []string{"cluster_state:ok", "cluster_known_nodes:" + strconv.Itoa(n), "cluster_size:" + strconv.Itoa(n)}
	for {
		info, err := client.ClusterInfo(ctx).Result()
		if err != nil {
			return err
		}
		missing := ""
		for _, w := range want {
			if !strings.Contains(info, w+"\r\n") {
				missing = w
			}
		}
		if missing == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", missing, context.Cause(ctx))
		case <-time.After(pollInterval):
		}
	}
}

// Nodes returns the servers.
func (c *Cluster) Nodes() []*Server { return c.nodes }

// Addrs returns the addresses of the nodes.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.nodes))
	for i, node := range c.nodes {
		addrs[i] = node.Addr()
	}
	return addrs
}

// Client returns a new client of the cluster, which the caller closes.
func (c *Cluster) Client() *redis.ClusterClient {
	o := c.nodes[0].Options()
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                    c.Addrs(),
		MaxRedirects:             8,
		ContextTimeoutEnabled:    o.ContextTimeoutEnabled,
		DialTimeout:              o.DialTimeout,
		DialerRetries:            o.DialerRetries,
		ReadTimeout:              o.ReadTimeout,
		WriteTimeout:             o.WriteTimeout,
		DisableIdentity:          o.DisableIdentity,
		MaintNotificationsConfig: o.MaintNotificationsConfig,
	})
}

// Kill ends all nodes at once and waits until they are gone.
func (c *Cluster) Kill() error {
	var errs []error
	for _, node := range c.nodes {
		errs = append(errs, node.Kill())
	}
	return errors.Join(errs...)
}
