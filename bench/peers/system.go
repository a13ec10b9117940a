package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	members      = 3
	connections  = 16 // that the writers share
	startTimeout = time.Minute
)

// write makes one durable write. It returns when the cluster has acknowledged it.
type write func(ctx context.Context) error

// system is a running cluster of three processes.
type system struct {
	name   string
	pids   []int
	values int // that one write has
	// writer returns the i-th writer.
	writer func(i int) write
	stop   func() error
}

// start starts all systems. The caller must call stop, after an error, too.
func start(ctx context.Context, s settings) (systems []*system, stop func() error, err error) {
	stop = func() (err error) {
		for _, running := range systems {
			err = errors.Join(err, running.stop())
		}
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for i, name := range s.systems {
		dir := filepath.Join(s.dir, fmt.Sprintf("%d", i))
		made, err := startOne(ctx, s, name, dir)
		if err != nil {
			return systems, stop, fmt.Errorf("start %s: %w", name, err)
		}
		systems = append(systems, made...)
	}
	return systems, stop, nil
}

func startOne(ctx context.Context, s settings, name, dir string) ([]*system, error) {
	if name, bin, ok := strings.Cut(name, "="); ok {
		return startFfrtmp(ctx, s, name, bin, dir)
	}
	var one *system
	var err error
	switch name {
	case "etcd":
		one, err = startEtcd(ctx, s, dir)
	case "jetstream":
		one, err = startJetStream(ctx, s, dir)
	default:
		return nil, errors.New("unknown system: use etcd, jetstream or NAME=DIR")
	}
	return []*system{one}, err
}

// member is one server of a peer: its ports are of 127.0.0.1.
type member struct {
	Name       string
	Dir        string
	ClientPort int
	PeerPort   int
	PeerPorts  []int // of all members
}

func serve(kind, document string) error {
	var m member
	if err := json.Unmarshal([]byte(document), &m); err != nil {
		return err
	}
	if kind == "serve-etcd" {
		return serveEtcd(m)
	}
	return serveJetStream(m)
}

// startMembers starts the three servers of a peer.
func startMembers(kind, dir string) (list []member, pids []int, stop func() error, err error) {
	var running []*exec.Cmd
	stop = func() (err error) {
		for _, cmd := range running {
			err = errors.Join(err, end(cmd))
		}
		return err
	}
	ports, err := freePorts(2 * members)
	if err != nil {
		return nil, nil, stop, err
	}
	for i := range members {
		m := member{
			Name: fmt.Sprintf("m%d", i), Dir: filepath.Join(dir, fmt.Sprintf("m%d", i)),
			ClientPort: ports[i], PeerPort: ports[members+i], PeerPorts: ports[members:],
		}
		cmd, err := startMember(kind, m)
		if err != nil {
			return list, pids, stop, err
		}
		running, list, pids = append(running, cmd), append(list, m), append(pids, cmd.Process.Pid)
	}
	return list, pids, stop, nil
}

func startMember(kind string, m member) (*exec.Cmd, error) {
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return nil, err
	}
	document, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(m.Dir + ".log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(program, "serve-"+kind, string(document))
	cmd.Stdout, cmd.Stderr = log, log
	tie(cmd, syscall.SIGKILL)
	return cmd, cmd.Start()
}

// tie makes the kernel send a program a signal when this one ends, however it does. That is when its thread ends: main
// keeps its own.
func tie(cmd *exec.Cmd, signal syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: signal}
}

// end kills a server: what it has stored is of no more interest.
func end(cmd *exec.Cmd) error {
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// interrupt ends a program that has programs of its own to end.
func interrupt(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	return cmd.Wait()
}

func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // when all are known, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// tryTimeout bounds one try of until: a server that is still starting may not answer.
const tryTimeout = 3 * time.Second

// until repeats try until it succeeds.
func until(ctx context.Context, try func(ctx context.Context) error) error {
	for {
		one, cancel := context.WithTimeout(ctx, tryTimeout)
		err := try(one)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// firstDocument reads a JSON document from a program that then writes more.
func firstDocument(r io.Reader, v any) error { return json.NewDecoder(bufio.NewReader(r)).Decode(v) }
