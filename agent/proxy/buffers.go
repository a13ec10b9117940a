package proxy

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// backlog bounds the bytes of a stream that are buffered on this machine, on either
// side of the endpoint. By default the kernel buffers megabytes, minutes of a small
// stream, in which ffmpeg's output time would advance although the server takes
// nothing. Bytes in flight to the server are not bounded.
const backlog = 64 << 10

// segment is the size of Ethernet. Linux sizes send buffers by segments, and those of
// the loopback interface have 64 KiB.
const segment = 1460

// setBuffers bounds what ffmpeg may send before the endpoint reads it. Accepted
// connections inherit it.
func setBuffers(listener syscall.Conn) error {
	raw, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(
		setOption(raw, unix.SOL_SOCKET, unix.SO_RCVBUF, backlog),
		setOption(raw, unix.IPPROTO_TCP, unix.TCP_MAXSEG, segment))
}

// limitUnsent bounds what the kernel buffers before it can send.
func limitUnsent(conn syscall.RawConn) error {
	return setOption(conn, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, backlog)
}

func setOption(conn syscall.RawConn, level, name, value int) error {
	var refused error
	err := conn.Control(func(fd uintptr) { refused = unix.SetsockoptInt(int(fd), level, name, value) })
	return errors.Join(err, refused)
}
