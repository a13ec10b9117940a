package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ffrtmp/ffrtmp/internal/limits"
)

// Ten thousand idle connections cost little memory and do not slow other clients.
func TestConnections_TenThousandIdle(t *testing.T) {
	const wanted, perConnection = 10_000, 96 << 10 // bytes
	if err := raiseFileLimit(); err != nil {
		t.Fatal(err)
	}
	files, err := limits.HalfOfFiles()
	if err != nil {
		t.Fatal(err)
	}
	number := min(wanted, 2*files-500) // this process needs some too
	if number < wanted {
		t.Logf("the limit of open files allows %d connections", number)
	}
	dir := t.TempDir()
	m := launchMaster(t, dir)
	config := as[*http.Transport](t, m.http.Transport).TLSClientConfig.Clone()
	config.ServerName = "localhost"
	// Both make the handshakes cheap.
	config.ClientSessionCache, config.CurvePreferences = tls.NewLRUClientSessionCache(1), []tls.CurveID{tls.X25519}
	before := residentBytes(t, m.cmd.Process.Pid)

	// Meanwhile a slow client never finishes its header on the metrics port.
	slow, err := net.Dial("tcp", "127.0.0.1:"+m.met)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /metrics HTTP/1.1\r\nX-Slow"); err != nil {
		t.Fatal(err)
	}

	began := time.Now()
	conns := make([]*tls.Conn, number)
	t.Cleanup(func() {
		for _, c := range conns {
			if c != nil {
				c.NetConn().Close()
			}
		}
	})
	var group errgroup.Group
	group.SetLimit(16)
	for i := range conns {
		group.Go(func() (err error) {
			if conns[i], err = tls.Dial("tcp", "127.0.0.1:"+m.api, config); err != nil {
				return err
			}
			if _, err := io.WriteString(conns[i], "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				return err
			}
			resp, err := http.ReadResponse(bufio.NewReaderSize(conns[i], 1024), nil)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("got status %s, want 200", resp.Status)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	grown := residentBytes(t, m.cmd.Process.Pid) - before
	t.Logf("%d connections, %d bytes each", number, grown/number)
	if grown/number > perConnection {
		t.Errorf("got %d bytes per connection, want at most %d", grown/number, perConnection)
	}
	metrics := m.call(t, "GET", "http://127.0.0.1:"+m.met+"/metrics", "").want(t, 200).body
	open := 0
	for line := range strings.Lines(string(metrics)) {
		if value, ok := strings.CutPrefix(line, "ffmpeg_master_http_connections "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			open = int(value)
		}
	}
	// After that time the first ones are closed as idle.
	if took := time.Since(began); open < min(number, files)*9/10 && took < limits.IdleTime {
		t.Errorf("got %d open connections after %s, want nearly all", open, took)
	}
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"360p"}`).want(t, 201)
	m.call(t, "GET", m.url+"/jobs/1", "").want(t, 200)
	if err := slow.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, slow); err != nil {
		t.Errorf("slow client: got %v, want the end of the connection", err)
	}
}

// raiseFileLimit raises the limit of open files to its maximum.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// residentBytes returns a process's resident memory.
func residentBytes(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kB, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return kB << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
