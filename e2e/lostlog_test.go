package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// recoverMaster runs ffrtmp recover and returns what it prints.
func recoverMaster(t *testing.T, dir, raftDir string, args ...string) string {
	t.Helper()
	p := launch(t, dir, nil, "ffrtmp", append([]string{"recover", "--raft-dir", raftDir, "--yes"}, args...)...)
	if status := p.status(t); status != 0 {
		t.Fatalf("recover: got status %d:\n%s", status, p.output)
	}
	return p.output.String()
}

// A single master whose log is lost refuses to start, and recover brings every job back.
func TestDisk_LostLogOfSingleMaster(t *testing.T) {
	const jobs = 20
	for name, harm := range map[string]func(path string) error{
		"missing":    os.Remove,
		"empty":      func(path string) error { return os.Truncate(path, 0) },
		"truncated":  func(path string) error { return os.Truncate(path, 3*4096) },
		"meta pages": func(path string) error { return patch(path, 0, bytes.Repeat([]byte{0xAA}, 8192)) },
		"root page":  func(path string) error { return patch(path, 2*4096, bytes.Repeat([]byte{0x55}, 8*4096)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m := launchMaster(t, dir, "--tls=false")
			for range jobs {
				m.call(t, "POST", m.url+"/jobs", `{"scenario":"720p-h264"}`).want(t, 201)
			}
			m.kill()
			raftDir := filepath.Join(dir, "master.raft")
			if err := harm(filepath.Join(raftDir, "raft.db")); err != nil {
				t.Fatal(err)
			}
			p := launch(
				t,
				dir,
				[]string{key},
				"master",
				"--port",
				freePort(t),
				"--metrics-port",
				freePort(t),
				"--tls=false",
			)
			if status := p.status(t); status != 1 {
				t.Errorf("got status %d, want 1", status)
			}
			text := strings.TrimSpace(p.output.String())
			last := text[strings.LastIndexByte(text, '\n')+1:]
			if !strings.Contains(last, "ffrtmp recover --raft-dir") || strings.Contains(text, "goroutine ") {
				t.Errorf("got %s, want one line that names ffrtmp recover", text)
			}
			recoverMaster(t, dir, raftDir, "--dry-run")
			if got := querySQLite(t, filepath.Join(dir, "master.db"), `SELECT COUNT(*) FROM jobs`); got != fmt.Sprint(
				jobs,
			) {
				t.Errorf("after a refused start and a dry run: got %s jobs, want %d", got, jobs)
			}
			recoverMaster(t, dir, raftDir)
			m = launchMaster(t, dir, "--tls=false")
			for i := range jobs {
				m.call(t, "GET", fmt.Sprintf("%s/jobs/%d", m.url, i+1), "").want(t, 200)
			}
			m.call(t, "POST", m.url+"/jobs", `{"scenario":"720p-h264"}`).want(t, 201)
			m.kill()
			launchMaster(t, dir, "--tls=false")
		})
	}
}

// patch overwrites a part of a file.
func patch(path string, at int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(data, at)
	return err
}

// With one master behind, another that has lost its log must not make up a majority with it.
func TestDisk_LostLogLosesNothing(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	lost := s.Master(s.leader())
	behind := s.Master(s.follower())
	ids := submitMany(s, 3)
	behind.Kill()
	ids = append(ids, submitMany(s, 20)...)
	lost.Kill()
	s.must(os.Remove(filepath.Join(lost.Dir(), "raft", "raft.db")))
	s.must(lost.Start())
	s.must(behind.Start())
	s.checkThree(ids)
	for i, m := range s.Masters() {
		testkit.Eventually(t, fmt.Sprintf("master %d has every job", i), func() bool {
			return querySQLite(t, m.DB(), `SELECT COUNT(*) FROM jobs`) == fmt.Sprint(len(ids))
		})
	}
	aside, err := filepath.Glob(filepath.Join(lost.Dir(), "raft", "aside-*", "state-*.db"))
	if err != nil || len(aside) != 1 {
		t.Errorf("states set aside: got %q (%v), want 1", aside, err)
	}
}

// checkThree waits until every master is ready and votes, and checks that the cluster has the jobs.
func (s *site) checkThree(ids []string) {
	s.t.Helper()
	for _, m := range s.Masters() {
		s.must(m.WaitReady(s.soon()))
	}
	for _, id := range ids {
		s.look(id)
	}
	s.voters(3)
}

// submitMany hands jobs in and returns their ids.
func submitMany(s *site, n int) (ids []string) {
	s.t.Helper()
	for range n {
		ids = append(ids, s.submit(ffrtmp.Spec{Scenario: "720p-h264"}).ID)
	}
	return ids
}

// The survivor of three becomes a cluster of one, and two others join it empty.
func TestDisk_RecoverSurvivor(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	ids := submitMany(s, 20)
	for _, m := range s.Masters() {
		m.Kill()
	}
	survivor := s.Master(0)
	for _, m := range s.Masters()[1:] {
		s.must(os.RemoveAll(filepath.Join(m.Dir(), "raft")))
	}
	recoverMaster(t, s.Dir(), filepath.Join(survivor.Dir(), "raft"), "--db", survivor.DB())
	for _, m := range s.Masters() {
		s.must(m.Start())
	}
	s.checkThree(ids)
}

// A copy of a running master's directory is refused and exits; the first continues.
func TestDisk_ClonedDirectory(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	ids := submitMany(s, 5)
	first := s.Master(s.leader())
	clone, err := s.AddMaster()
	s.must(err)
	s.must(os.CopyFS(filepath.Join(clone.Dir(), "raft"), os.DirFS(filepath.Join(first.Dir(), "raft"))))
	s.must(clone.Start())
	if err := clone.Wait(s.soon()); err == nil {
		t.Error("the clone ended with status 0")
	}
	log, err := os.ReadFile(clone.LogPath())
	s.must(err)
	if !strings.Contains(string(log), "is in use at "+first.PeerAddress()) {
		t.Errorf("the clone's log does not name %s", first.PeerAddress())
	}
	ids = append(ids, submitMany(s, 5)...)
	for _, id := range ids {
		s.look(id)
	}
	s.voters(3)
	named := 0
	for _, m := range s.Masters()[:3] {
		log, err := os.ReadFile(m.LogPath())
		s.must(err)
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "a second master with the same identity is refused") &&
				strings.Contains(line, first.PeerAddress()) && strings.Contains(line, clone.PeerAddress()) {
				named++
			}
		}
	}
	if named == 0 {
		t.Error("no master logs both addresses")
	}
}

// Two of three are rolled back to old copies: what the third has acknowledged is kept.
func TestDisk_OthersRolledBack(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	ids := submitMany(s, 5)
	keeper := s.Master(s.leader())
	var others []*devcluster.Master
	for _, m := range s.Masters() {
		if m != keeper {
			others = append(others, m)
		}
	}
	copies := t.TempDir()
	for _, m := range others {
		s.must(os.CopyFS(filepath.Join(copies, m.Name()), os.DirFS(filepath.Join(m.Dir(), "raft"))))
	}
	ids = append(ids, submitMany(s, 20)...)
	for _, m := range append(others, keeper) {
		s.must(m.Stop(s.soon()))
	}
	for _, m := range others {
		raft := filepath.Join(m.Dir(), "raft")
		s.must(os.RemoveAll(raft))
		s.must(os.CopyFS(raft, os.DirFS(filepath.Join(copies, m.Name()))))
	}
	for _, m := range s.Masters() {
		s.must(m.Start())
	}
	for _, m := range others {
		if err := m.Wait(s.soon()); err == nil {
			t.Errorf("%s ended with status 0", m.Name())
		}
	}
	_ = keeper.Stop(s.soon()) // it may have been asked to remove entries, and have stopped
	recoverMaster(t, s.Dir(), filepath.Join(keeper.Dir(), "raft"))
	for _, m := range s.Masters() {
		s.must(m.Start())
	}
	s.must(keeper.WaitReady(s.soon()))
	s.voters(3)
	for _, id := range ids {
		s.look(id)
	}
}
