package devcluster

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sys/unix"
)

// Ports are below the range of Linux's ephemeral ports (from 32768 on).
const (
	firstPort = 10000
	lastPort  = 32000
)

// port is a reserved port of 127.0.0.1, whether or not a process of the cluster listens on it.
type port struct {
	number int
	fd     int
}

// reservePort binds a free port without listening on it. Until a process listens there, connections are refused as on
// any unused port. Binding without SO_REUSEADDR proves that the port is free. Setting the option afterwards lets a
// listener that sets it too, as Go's do, bind the same port, while this socket keeps other programs from it. UDP needs
// no socket: everyone who reserves ports this way binds the number in TCP first.
func reservePort() (port, error) {
	for range 1000 {
		number := firstPort + rand.IntN(lastPort-firstPort)
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return port{}, fmt.Errorf("reserve port: %w", err)
		}
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}})
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		}
		if err == nil {
			return port{number: number, fd: fd}, nil
		}
		_ = unix.Close(fd)
		if !errors.Is(err, unix.EADDRINUSE) {
			return port{}, fmt.Errorf("reserve port %d: %w", number, err)
		}
	}
	return port{}, errors.New("reserve port: none is free")
}

// ReservePort reserves a port for a program that sets SO_REUSEADDR, or to keep it unused.
func ReservePort() (number int, release func(), err error) {
	p, err := reservePort()
	return p.number, p.release, err
}

func (p port) release() { _ = unix.Close(p.fd) }

// reservePorts reserves several ports, or none.
func reservePorts(n int) ([]port, error) {
	ports := make([]port, 0, n)
	for range n {
		p, err := reservePort()
		if err != nil {
			releaseAll(ports)
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}

func releaseAll(ports []port) {
	for _, p := range ports {
		p.release()
	}
}
