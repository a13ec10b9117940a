package e2e

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// memberFiles are the files of a master in a cluster, as the table names them, in its directory.
var memberFiles = map[string]string{
	"raft.db": "raft/raft.db", "raft.journal": "raft/raft.journal", "raft.mark": "raft/raft.mark",
	"identity.json": "raft/identity.json",
	"cluster.json":  "raft/cluster.json", "addresses.json": "raft/addresses.json", "peers.json": "raft/peers.json",
	"gossip.keys":           "raft/gossip.keys",
	"snapshots/…/meta.json": "raft/snapshots/*/meta.json", "snapshots/…/state.bin": "raft/snapshots/*/state.bin",
	"state-….db": "raft/state-*.db", "state-….db-wal": "raft/state-*.db-wal",
	"state-trust.json": "raft/state-trust.json", "--db": "master.db",
	"--cert": "cert", "--key": "key", "--ca": "ca", "--gossip-key-file": "gossip-key-file",
	"--api-key-file": "api-key-file",
}

// memberDamage walks the table of a cluster.
type memberDamage struct {
	*site
	table damageTable
	draw  *rand.Rand
}

// prepareMembers starts three masters, each with its own copy of every file and with a snapshot.
func prepareMembers(t *testing.T, seed uint64) *memberDamage {
	t.Helper()
	root := t.TempDir()
	own := func(i int) []string {
		var args []string
		for _, name := range []string{"cert", "key", "ca", "gossip-key-file", "api-key-file"} {
			args = append(args, "--"+name, filepath.Join(root, "master-"+strconv.Itoa(i), name))
		}
		return args
	}
	d := &memberDamage{
		site:  prepare(t, devcluster.Options{Masters: 3, Dir: root, MasterArgs: own}),
		table: readDamageTable(t, "### A master in a cluster"), draw: rand.New(rand.NewPCG(seed, 2)),
	}
	for _, m := range d.Masters() {
		keys := filepath.Join(root, "keys")
		for name, from := range map[string]string{
			"cert": m.Name() + ".crt", "key": m.Name() + ".key", "ca": "ca.crt", "gossip-key-file": "gossip.key",
			"api-key-file": "api.key",
		} {
			d.must(restoreFile(filepath.Join(m.Dir(), name), filepath.Join(keys, from)))
		}
	}
	d.must(d.Start(d.soon()))
	submitMany(d.site, damageJobs)
	// A recovered master has a snapshot and no log, so the others that join it get the snapshot.
	d.must(d.Stop(d.soon()))
	for _, m := range d.Masters()[1:] {
		d.must(errors.Join(os.RemoveAll(filepath.Join(m.Dir(), "raft")), os.Remove(m.DB())))
	}
	recoverMaster(t, root, filepath.Join(d.Master(0).Dir(), "raft"))
	d.must(d.Start(d.soon()))
	d.voters(3)
	return d
}

// walk damages a file of a follower and checks what happens when it starts.
func (d *memberDamage) walk(c damageCase) {
	t, m, pattern := d.t, d.Master(d.follower()), memberFiles[c.file]
	t.Helper()
	stop := func() { d.must(m.Stop(d.soon())) }
	if c.afterKill() {
		stop = m.Kill
	}
	older := t.TempDir() + "/older"
	if c.kind == "older copy" {
		stop()
		d.must(restoreFile(older, damagedFile(t, m.Dir(), pattern)))
		d.restart(m)
		submitMany(d.site, 2)
		d.agree(m)
	}
	id := d.nodeID(m)
	stop()
	path := damagedFile(t, m.Dir(), pattern)
	if path == "" {
		t.Fatalf("got no file %s", c.file)
	}
	intact := t.TempDir() + "/intact"
	d.must(restoreFile(intact, path))
	submitMany(d.site, 1)
	another := damagedFile(t, d.Master(d.leader()).Dir(), pattern)
	d.must(damages[c.kind](d.draw, path, another, older))
	outcome := d.startDamaged(m, path, id)
	d.table.allows(t, c, outcome)
	otherKey := c.file == "--api-key-file" && outcome == starts // its users are refused until it is put right
	if otherKey {
		m.Kill()
	}
	if outcome == exits || otherKey {
		d.must(errors.Join(os.RemoveAll(path), restoreFile(path, intact)))
		d.must(m.Start())
	}
	d.must(m.WaitReady(d.soon()))
	d.voters(3)
	d.agree(m)
	if t.Failed() {
		t.Fatalf("%s, %s of %s", c.file, c.kind, m.Name())
	}
}

// startDamaged starts a master and returns the outcome.
func (d *memberDamage) startDamaged(m *devcluster.Master, path, id string) string {
	d.t.Helper()
	before, err := os.ReadFile(m.LogPath())
	d.must(err)
	d.must(m.Start())
	ready := m.WaitReady(d.soon())
	after, err := os.ReadFile(m.LogPath())
	d.must(err)
	text := string(after[len(before):])
	if ready != nil {
		return outcomeOfExit(d.t, text, path)
	}
	if d.nodeID(m) == id {
		return starts
	}
	if !strings.Contains(text, "joins the others as a new member") {
		d.t.Errorf("got a new identity, want a line that says why:\n%s", text)
	}
	return newMember
}

// agree waits until a master has the leader's jobs.
func (d *memberDamage) agree(m *devcluster.Master) {
	d.t.Helper()
	w := d.wire()
	list := func(m *devcluster.Master) string {
		return string(w.call(d.t, "GET", m.URL()+"/jobs?stale&order=asc", "").want(d.t, 200).body)
	}
	var got, want string
	defer func() {
		if got != want {
			d.t.Logf("got jobs\n%s\nwant\n%s", got, want)
		}
	}()
	testkit.Eventually(d.t, "the master has the leader's jobs", func() bool {
		got, want = list(m), list(d.Master(d.leader()))
		return got == want
	})
}

// A master in a cluster detects what is damaged, and has everything again.
func TestDamage_Member(t *testing.T) {
	d := prepareMembers(t, 1)
	for _, c := range pick(d.draw, d.table.cases(t, memberFiles), 4) {
		d.walk(c)
	}
	if j := d.submit(ffrtmp.Spec{Scenario: "720p-h264"}); j.ID == "" {
		t.Error("got no job")
	}
}
