package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// silence is how long an RTSP server may send nothing, neither answers nor media.
const silence = 30 * time.Second

// rtspSession relays one connection of ffmpeg. It adds the user's credentials, which are on no command line, and puts
// the server's address in place of the endpoint's. Media is in the same connection.
type rtspSession struct {
	e      *Endpoint
	user   *url.Userinfo
	prefix string // of URLs in ffmpeg's requests
	base   string // the server's, without credentials

	mu        sync.Mutex // of the following, and of writing to the server
	far       io.Writer
	challenge challenge
	last      *rtspMessage // the last request
	answered  bool         // it was sent with credentials for the server's challenge
}

// serveRTSP accepts ffmpeg's connections.
func (e *Endpoint) serveRTSP(ctx context.Context, u *url.URL) {
	e.address = "rtsp://" + e.local + "/stream"
	server := *u
	server.Scheme, server.User = strings.ToLower(u.Scheme), nil
	kind := streamServer{name: "RTSP server", secure: "rtsps", port: "554", securePort: "322"}
	dialer := &net.Dialer{Timeout: dialTimeout, Control: dialControl(loopback)}
	e.dialEach(ctx, u, kind, dialer, func(near, far net.Conn) {
		s := &rtspSession{e: e, user: u.User, prefix: e.address, base: server.String(), far: far}
		s.relay(ctx, near, far)
	})
}

// relay copies both ways until either side or ctx ends.
func (s *rtspSession) relay(ctx context.Context, near, far net.Conn) {
	end := func() { near.Close(); far.Close() }
	defer context.AfterFunc(ctx, end)()
	var directions sync.WaitGroup
	directions.Go(func() {
		defer end()
		s.requests(bufio.NewReader(near))
	})
	directions.Go(func() {
		defer end()
		err := s.responses(bufio.NewReader(s.e.counted(far)), near, far)
		var slow net.Error
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed):
		case errors.As(err, &slow) && slow.Timeout():
			s.e.fail(failure.Errorf(ffrtmp.NetworkError, "RTSP server sent nothing for %s", silence))
		case err != nil:
			s.e.fail(describe("RTSP server", err))
		}
	})
	directions.Wait()
}

// requests passes ffmpeg's requests and reports on.
func (s *rtspSession) requests(from *bufio.Reader) {
	for {
		m, err := readRTSP(from)
		if err != nil || s.send(m) != nil {
			return // ffmpeg has ended, or the server, which responses reports
		}
	}
}

// send sends a request with the server's address and credentials.
func (s *rtspSession) send(m *rtspMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.media == nil {
		m.start = strings.Replace(m.start, s.prefix, s.base, 1)
		s.last, s.answered = m, false
		s.authorize(m)
	}
	return m.write(s.far)
}

// authorize adds credentials if the server has asked for them. The caller holds the lock.
func (s *rtspSession) authorize(m *rtspMessage) {
	parts := strings.Fields(m.start)
	if s.user == nil || s.challenge.scheme == "" || len(parts) < 2 {
		return
	}
	m.set("Authorization", s.challenge.answer(s.user, parts[0], parts[1]))
	s.answered = true
}

// responses passes the server's responses and media on.
func (s *rtspSession) responses(from *bufio.Reader, near io.Writer, far net.Conn) error {
	for {
		if err := far.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		m, err := readRTSP(from)
		if err != nil {
			return err
		}
		if m.media == nil {
			again, err := s.response(m)
			if err != nil {
				s.e.fail(err)
				return io.EOF
			}
			if again {
				continue
			}
		}
		if err := m.write(near); err != nil {
			return io.EOF // ffmpeg has ended
		}
	}
}

// response repeats a request that the server wants credentials for. Its error is why the server cannot be used.
func (s *rtspSession) response(m *rtspMessage) (again bool, why error) {
	version, rest, _ := strings.Cut(m.start, " ")
	if !strings.HasPrefix(version, "RTSP/") {
		return false, nil // the server's own request
	}
	status, _, _ := strings.Cut(rest, " ")
	switch {
	case status == "401":
		return s.repeat(m)
	case status == "403":
		return false, failure.Errorf(ffrtmp.UserError, "the RTSP server refuses access to the stream")
	case status == "404":
		return false, failure.Errorf(ffrtmp.UserError, "the RTSP server has no such stream; check the URL's path")
	case status == "461":
		return false, failure.Errorf(ffrtmp.UserError, "the RTSP server does not send over TCP")
	case strings.HasPrefix(status, "3"):
		return false, failure.Errorf(ffrtmp.UserError, "the RTSP server redirects; use the URL that it redirects to")
	case strings.HasPrefix(status, "5"):
		return false, failure.Errorf(ffrtmp.NetworkError, "the RTSP server is busy or failing (%s)",
			strings.ToValidUTF8(rest, "?"))
	}
	return false, nil
}

// repeat sends the last request again, with credentials.
func (s *rtspSession) repeat(m *rtspMessage) (again bool, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.challenge = newChallenge(m.values("WWW-Authenticate"))
	if s.last == nil || s.answered || s.user == nil || s.challenge.scheme == "" {
		return false, failure.Errorf(ffrtmp.UserError,
			"the RTSP server refused access; set user name and password in the URL, as rtsp://user:password@host/path")
	}
	s.authorize(s.last)
	return true, s.last.write(s.far)
}
