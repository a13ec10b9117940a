package proxy

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// backlog bounds the bytes of a stream that wait on this machine, on either side of
// the endpoint. By default the kernel holds megabytes, which is minutes of a small
// stream: for so long ffmpeg's output time would move on although the server takes
// nothing more. What is on its way to the server is not bounded by it.
const backlog = 64 << 10

// segment is that of Ethernet. Linux sizes a sender's buffer by the segments that it
// may send, and the loopback's have 64 KiB.
const segment = 1460

// setBuffers bounds what ffmpeg may send before the endpoint has read it. Accepted
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

// limitUnsent bounds what the kernel takes of the endpoint before it can send it.
func limitUnsent(conn syscall.RawConn) error {
	return setOption(conn, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, backlog)
}

func setOption(conn syscall.RawConn, level, name, value int) error {
	var refused error
	err := conn.Control(func(fd uintptr) { refused = unix.SetsockoptInt(int(fd), level, name, value) })
	return errors.Join(err, refused)
}
