package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// Commands of the control socket, one word per line. The answer is one line: ok, or
// ended once the run has ended and its exit is on disk.
const (
	verbStop   = "stop"
	verbPause  = "pause"
	verbResume = "resume"
	verbWait   = "wait"

	answerOK    = "ok"
	answerEnded = "ended"
)

// maxControls bounds the open connections of a supervisor.
const maxControls = 32

const controlTimeout = 5 * time.Second

// request is a command for the run, which answers it once.
type request struct {
	verb   string
	answer chan<- string
}

// controlServer accepts connections until it is closed.
type controlServer struct {
	listener net.Listener
	requests chan request
	ended    chan struct{} // closed once the run's end is on disk
}

// atSocket calls use with a path of the control socket that fits a socket address,
// however deep the directory is.
func atSocket(dir string, use func(path string) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), controlSocket))
}

func listenControl(dir string) (*controlServer, error) {
	s := &controlServer{requests: make(chan request), ended: make(chan struct{})}
	err := atSocket(dir, func(path string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false) // its path is invalid by then
		s.listener = l
		return nil
	})
	if err != nil {
		return nil, err
	}
	go s.accept()
	return s, nil
}

func (s *controlServer) accept() {
	slots := make(chan struct{}, maxControls)
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		select {
		case slots <- struct{}{}:
			go func() {
				defer func() { conn.Close(); <-slots }()
				s.serve(conn)
			}()
		default:
			conn.Close()
		}
	}
}

func (s *controlServer) serve(conn net.Conn) {
	if err := conn.SetReadDeadline(time.Now().Add(controlTimeout)); err != nil {
		return
	}
	reader := bufio.NewReaderSize(conn, 64)
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return
	}
	verb := strings.TrimSpace(string(line))
	answer := make(chan string, 1)
	if verb == verbWait {
		answer = nil
	} else {
		select {
		case s.requests <- request{verb, answer}:
		case <-s.ended:
		}
	}
	// A client that disconnects frees its slot.
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if conn.SetReadDeadline(time.Time{}) == nil {
			_, _ = reader.ReadByte()
		}
	}()
	reply := answerEnded
	select {
	case reply = <-answer:
	case <-s.ended:
	case <-gone:
		return
	}
	_ = conn.SetWriteDeadline(time.Now().Add(controlTimeout))
	_, _ = conn.Write([]byte(reply + "\n")) // a client that has gone reads the files
}

// ask sends one verb to the supervisor of a directory and returns its answer.
func ask(ctx context.Context, dir, verb string) (string, error) {
	var conn net.Conn
	err := atSocket(dir, func(path string) (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
		return err
	})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write([]byte(verb + "\n")); err != nil {
		return "", errors.Join(ctx.Err(), err)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "", errors.Join(ctx.Err(), err)
	}
	return strings.TrimSpace(answer), nil
}
