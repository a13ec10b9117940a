package supervisor

import (
	"bufio"
	"crypto/md5" //nolint:gosec // what cameras speak
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
)

const cameraNonce = "0123abcd"

// camera is an RTSP server that sends H.264 over TCP to whom knows its password.
type camera struct {
	t        *testing.T
	listener net.Listener
	digest   bool
	group    sync.WaitGroup

	mu      sync.Mutex
	seen    []string       // first lines of requests
	sources []*net.UDPConn // that the test picture comes from
}

// newCamera starts a server, which ends with the test.
func newCamera(t *testing.T, digest bool) *camera {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &camera{t: t, listener: listener, digest: digest}
	c.group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.group.Go(func() {
				defer conn.Close()
				c.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		c.mu.Lock()
		for _, s := range c.sources {
			s.Close()
		}
		c.mu.Unlock()
		c.group.Wait()
	})
	return c
}

func (c *camera) requests() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.seen, "\n")
}

var authorization = regexp.MustCompile(`(?i)Authorization: Digest username="user",.* uri="([^"]*)", response="(\w+)"`)

// allowed reports whether a request has the password.
func (c *camera) allowed(method, request string) bool {
	if !c.digest {
		return strings.Contains(request, "Authorization: Basic dXNlcjpwYUBzcw==") // user:pa@ss
	}
	m := authorization.FindStringSubmatch(request)
	return m != nil && m[2] == sum(sum("user:camera:pa@ss")+":"+cameraNonce+":"+sum(method+":"+m[1]))
}

func sum(s string) string {
	b := md5.Sum([]byte(s)) //nolint:gosec // what cameras speak
	return hex.EncodeToString(b[:])
}

const cameraSDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n" +
	"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:trackID=0\r\n"

// serve answers the requests of one connection until it closes.
func (c *camera) serve(conn net.Conn) {
	var write sync.Mutex
	from := bufio.NewReader(conn)
	for {
		request, err := readRequest(from)
		if err != nil {
			return
		}
		first, _, _ := strings.Cut(request, "\r\n")
		method, _, _ := strings.Cut(first, " ")
		c.mu.Lock()
		c.seen = append(c.seen, first)
		c.mu.Unlock()
		write.Lock()
		_, err = conn.Write([]byte(c.answer(method, request)))
		write.Unlock()
		if err != nil {
			return
		}
		if method == "PLAY" {
			c.group.Go(func() { c.play(conn, &write) })
		}
	}
}

// readRequest skips packets, and returns the lines of a request.
func readRequest(from *bufio.Reader) (string, error) {
	var text strings.Builder
	for {
		if first, err := from.Peek(1); err == nil && first[0] == '$' && text.Len() == 0 {
			header, err := from.Peek(4)
			if err != nil {
				return "", err
			}
			if _, err := from.Discard(4 + int(binary.BigEndian.Uint16(header[2:]))); err != nil {
				return "", err
			}
			continue
		}
		line, err := from.ReadString('\n')
		if err != nil {
			return "", err
		}
		text.WriteString(line)
		if line == "\r\n" {
			return text.String(), nil
		}
	}
}

var sequence = regexp.MustCompile(`(?i)CSeq: *\d+`)

func (c *camera) answer(method, request string) string {
	head := sequence.FindString(request) + "\r\n"
	if method != "OPTIONS" && !c.allowed(method, request) {
		ask := `Basic realm="camera"`
		if c.digest {
			ask = `Digest realm="camera", nonce="` + cameraNonce + `"`
		}
		return "RTSP/1.0 401 Unauthorized\r\n" + head + "WWW-Authenticate: " + ask + "\r\n\r\n"
	}
	switch method {
	case "DESCRIBE":
		return fmt.Sprintf("RTSP/1.0 200 OK\r\n%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", head,
			len(cameraSDP), cameraSDP)
	case "SETUP":
		head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
	case "OPTIONS":
		head += "Public: DESCRIBE, SETUP, PLAY, GET_PARAMETER\r\n"
	default:
		head += "Session: 1\r\n"
	}
	return "RTSP/1.0 200 OK\r\n" + head + "\r\n"
}

// portOf returns the port of a socket.
func portOf(socket *net.UDPConn) uint16 {
	at, err := netip.ParseAddrPort(socket.LocalAddr().String())
	if err != nil {
		panic(err) // the kernel's own
	}
	return at.Port()
}

// play sends ffmpeg's test picture until the connection closes.
func (c *camera) play(conn net.Conn, write *sync.Mutex) {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		c.t.Error(err)
		return
	}
	defer udp.Close()
	c.mu.Lock()
	c.sources = append(c.sources, udp)
	c.mu.Unlock()
	port := portOf(udp)
	source := exec.Command("ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10", "-c:v",
		"libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "5", "-f", "rtp",
		fmt.Sprintf("rtp://127.0.0.1:%d?rtcpport=%d&pkt_size=1200", port, port))
	if err := source.Start(); err != nil {
		c.t.Error(err)
		return
	}
	defer func() {
		_ = source.Process.Kill()
		_ = source.Wait()
	}()
	for packet := make([]byte, 4+2048); ; {
		n, err := udp.Read(packet[4:])
		if err != nil {
			return
		}
		packet[0], packet[1] = '$', 0
		binary.BigEndian.PutUint16(packet[2:], uint16(n))
		write.Lock()
		_, err = conn.Write(packet[:4+n])
		write.Unlock()
		if err != nil {
			return
		}
	}
}
