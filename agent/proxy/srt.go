package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"syscall"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// datagramBuffer is what the kernel holds for a relay that is late, on either side.
const datagramBuffer = 4 << 20

// maxDatagram is the largest UDP packet.
const maxDatagram = 64 << 10

// openSRT relays the datagrams of SRT, which has its own encryption and retransmission, between ffmpeg and the server.
func (e *Endpoint) openSRT(ctx context.Context, u *url.URL) error {
	near, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	e.address, e.local = "srt://"+near.LocalAddr().String(), near.LocalAddr().String()
	e.close = func() { near.Close() }
	e.group.Go(func() {
		defer near.Close()
		defer context.AfterFunc(ctx, func() { near.Close() })()
		dialer := net.Dialer{Timeout: dialTimeout, Control: dialControl(loopback)}
		conn, err := dialer.DialContext(ctx, "udp", u.Host)
		if err != nil {
			if ctx.Err() == nil {
				e.fail(describe("SRT server", err))
			}
			return
		}
		e.relayDatagrams(ctx, near, conn)
	})
	return nil
}

// relayDatagrams copies both ways until near or ctx ends. The first process that sends is ffmpeg.
func (e *Endpoint) relayDatagrams(ctx context.Context, near *net.UDPConn, far net.Conn) {
	defer context.AfterFunc(ctx, func() { far.Close() })()
	defer far.Close()
	for _, c := range []net.Conn{near, far} {
		if udp, ok := c.(*net.UDPConn); ok {
			_ = udp.SetReadBuffer(datagramBuffer) // else SRT retransmits more
		}
	}
	buffer := make([]byte, maxDatagram)
	n, ffmpeg, err := near.ReadFromUDPAddrPort(buffer)
	if err != nil {
		return
	}
	e.group.Go(func() { e.answers(near, far, ffmpeg) })
	for from := ffmpeg; err == nil; n, from, err = near.ReadFromUDPAddrPort(buffer) {
		if from == ffmpeg {
			_, _ = far.Write(buffer[:n]) // SRT sends again what is lost
		}
	}
}

// answers copies what the server sends. A port that refuses is remembered until the server answers.
func (e *Endpoint) answers(near *net.UDPConn, far net.Conn, ffmpeg netip.AddrPort) {
	buffer := make([]byte, maxDatagram)
	for {
		n, err := far.Read(buffer)
		switch {
		case err == nil:
			e.received.Add(int64(n))
			if _, err := near.WriteToUDPAddrPort(buffer[:n], ffmpeg); errors.Is(err, net.ErrClosed) {
				return
			}
		case errors.Is(err, syscall.ECONNREFUSED):
			if e.received.Load() == 0 {
				e.fail(failure.Errorf(ffrtmp.NetworkError, "SRT server %s refuses: nothing listens there",
					e.server.Host))
			}
		default:
			return // closed
		}
	}
}
