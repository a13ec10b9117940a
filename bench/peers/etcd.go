package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

// serveEtcd runs one etcd server with default settings.
func serveEtcd(m member) error {
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir, cfg.LogLevel = m.Name, m.Dir, "error"
	client, peer := url.URL{Scheme: "http", Host: local(m.ClientPort)}, url.URL{Scheme: "http", Host: local(m.PeerPort)}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	var initial []string
	for i, port := range m.PeerPorts {
		initial = append(initial, fmt.Sprintf("m%d=http://%s", i, local(port)))
	}
	cfg.InitialCluster = strings.Join(initial, ",")
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}

func startEtcd(ctx context.Context, s settings, dir string) (*system, error) {
	list, pids, stop, err := startMembers("etcd", dir)
	made := &system{name: "etcd", pids: pids, values: 1, stop: stop}
	if err != nil {
		return made, err
	}
	var leader string
	err = until(ctx, func(ctx context.Context) error { leader, err = etcdLeader(ctx, list); return err })
	if err != nil {
		return made, err
	}
	clients := make([]*clientv3.Client, connections)
	for i := range clients {
		if clients[i], err = clientv3.New(clientv3.Config{Endpoints: []string{leader}}); err != nil {
			return made, err
		}
	}
	value := strings.Repeat("x", s.size)
	var next atomic.Int64
	made.writer = func(i int) write {
		return func(ctx context.Context) error {
			_, err := clients[i%connections].Put(ctx, fmt.Sprintf("key-%012d", next.Add(1)), value)
			return err
		}
	}
	return made, nil
}

// etcdLeader returns the leader's address: writes through a follower would cost a hop.
func etcdLeader(ctx context.Context, list []member) (string, error) {
	for _, m := range list {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{local(m.ClientPort)}})
		if err != nil {
			return "", err
		}
		defer client.Close()
		status, err := client.Status(ctx, local(m.ClientPort))
		if err != nil {
			return "", err
		}
		if status.Leader == status.Header.MemberId {
			return local(m.ClientPort), nil
		}
	}
	return "", fmt.Errorf("no leader among %d members", len(list))
}
