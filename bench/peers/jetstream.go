package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const subject = "jobs"

// serveJetStream runs one NATS server that syncs every write.
func serveJetStream(m member) error {
	opts := &server.Options{
		ServerName: m.Name, Host: "127.0.0.1", Port: m.ClientPort, JetStream: true, StoreDir: m.Dir,
		SyncAlways: true, NoSigs: true,
		Cluster: server.ClusterOpts{Name: "peers", Host: "127.0.0.1", Port: m.PeerPort},
	}
	for _, port := range m.PeerPorts {
		opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats", Host: local(port)})
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	srv.Start()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	srv.Shutdown()
	return nil
}

func startJetStream(ctx context.Context, s settings, dir string) (*system, error) {
	list, pids, stop, err := startMembers("jetstream", dir)
	made := &system{name: "jetstream", pids: pids, values: 1, stop: stop}
	if err != nil {
		return made, err
	}
	var leader string
	err = until(ctx, func(ctx context.Context) error { leader, err = createStream(ctx, list); return err })
	if err != nil {
		return made, err
	}
	streams := make([]jetstream.JetStream, connections)
	for i := range streams {
		if streams[i], err = connectStream(leader); err != nil {
			return made, err
		}
	}
	value := []byte(strings.Repeat("x", s.size))
	made.writer = func(i int) write {
		return func(ctx context.Context) error {
			_, err := streams[i%connections].Publish(ctx, subject, value)
			return err
		}
	}
	return made, nil
}

// createStream creates the replicated stream and returns the address of its leader.
func createStream(ctx context.Context, list []member) (string, error) {
	stream, err := connectStream(local(list[0].ClientPort))
	if err != nil {
		return "", err
	}
	defer stream.Conn().Close()
	made, err := stream.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: "peers", Subjects: []string{subject}, Storage: jetstream.FileStorage, Replicas: members,
	})
	if err != nil {
		return "", err
	}
	info, err := made.Info(ctx)
	if err != nil {
		return "", err
	}
	for _, m := range list {
		if info.Cluster != nil && m.Name == info.Cluster.Leader {
			return local(m.ClientPort), nil
		}
	}
	return "", errors.New("the stream has no leader")
}

func connectStream(address string) (jetstream.JetStream, error) {
	conn, err := nats.Connect(fmt.Sprintf("nats://%s", address))
	if err != nil {
		return nil, err
	}
	return jetstream.New(conn)
}
