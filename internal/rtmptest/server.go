// Package rtmptest runs a real RTMP server for tests: nginx with its RTMP module, with
// a configuration, directory and ports of its own, on the loopback interface.
package rtmptest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// patience bounds every wait for the server. It is long because machines are busy.
const patience = 30 * time.Second

// module is where Debian's package libnginx-mod-rtmp puts it.
const module = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

const config = `load_module ` + module + `;
daemon off;
master_process off;
pid nginx.pid;
error_log stderr info;
events {}
rtmp { server { listen %[1]s; application live { live on; } } }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server { listen %[2]s; location = /stat { rtmp_stat all; } }
}
`

// Server is an RTMP server, a single process, that keeps its address when it is
// killed and started again. What it prints is shown when the test fails.
type Server struct {
	t      testing.TB
	dir    string
	listen string // host and port of RTMP
	stat   string // host and port of the statistics
	log    *os.File
	cmd    *exec.Cmd // nil while it does not run
}

// New starts a server, which ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), listen: freeAddress(t), stat: freeAddress(t)}
	s.must(os.WriteFile(filepath.Join(s.dir, "nginx.conf"), fmt.Appendf(nil, config, s.listen, s.stat), 0o600))
	var err error
	s.log, err = os.Create(filepath.Join(s.dir, "log"))
	s.must(err)
	t.Cleanup(func() {
		s.Kill()
		if said, err := os.ReadFile(s.log.Name()); t.Failed() {
			t.Logf("nginx (%v):\n%s", err, said)
		}
		s.log.Close()
	})
	s.Start()
	return s
}

// URL is that of the application; a stream's key comes after it.
func (s *Server) URL() string { return "rtmp://" + s.listen + "/live" }

// Start starts the server, or starts it again after Kill, and returns once it serves.
func (s *Server) Start() {
	s.t.Helper()
	// Not in everybody's PATH.
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx"
	}
	cmd := exec.Command(nginx, "-e", "stderr", "-p", s.dir, "-c", "nginx.conf")
	cmd.Stdout, cmd.Stderr = s.log, s.log
	s.must(cmd.Start())
	s.cmd = cmd
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err = s.statistics(ctx); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("nginx does not serve: %v", err)
		}
	}
}

// Kill ends the server at once, as a crash would. Its port refuses from then on.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // fails only when it has ended by itself
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Freeze stops the server without closing anything: it accepts no more, reads no
// more and answers no more.
func (s *Server) Freeze() {
	s.t.Helper()
	s.must(s.cmd.Process.Signal(syscall.SIGSTOP))
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// freeAddress returns one that is the test's own until its end, also while the server does not run.
func freeAddress(t testing.TB) string {
	t.Helper()
	port, release, err := devcluster.ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
