package fsm

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

var update = flag.Bool("update", false, "write the golden files of commands that have none")

var (
	goldenEnvelope = envelope{time: epoch.UnixNano(), idempotency: Idempotency{
		Principal: "key-1", Key: "once",
		Hash: [32]byte{1, 2, 31: 3},
	}}
	goldenActor = envelope{time: epoch.UnixNano(), actor: Actor{
		Principal: "key-1", Source: "192.0.2.1",
		RequestID: "r-1",
	}}
	goldenLease   = lease{0: 0xaa, 15: 0xbb}
	goldenBackoff = backoff{base: 5e9, limit: 300e9, jitter: 499}
)

// golden has a command of every kind and version with a value in every field.
var golden = map[string]command{
	"01-submit-1": &submit{specs: []spec{
		{
			id: uuid.MustParse(numbered(1)), scenario: "4K60-h264", confidence: "auto", engine: "ffmpeg",
			classification: "film",
			parameters:     `{"input":"a.mov"}`, requires: `{"encoder":"libx264"}`, labels: `{"a":"b"}`, queue: 2,
			priority:   1,
			maxRetries: 7, timeout: 60e9,
			origin: ffrtmp.Origin{
				RequestID:   "request-1",
				Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			},
		},
		{id: uuid.MustParse(numbered(2)), scenario: "720p", engine: "auto"},
	}},
	"02-claim-1": &claim{node: numbered(3), leases: []lease{goldenLease, {1}}},
	"03-result-1": &result{
		unseen: true,
		seq:    300, node: numbered(3), attempt: 2, lease: goldenLease, status: ffrtmp.ResultFailed,
		Result: store.Result{
			Error: "boom", Reason: ffrtmp.OutputError, Log: "line\n", LogOffset: 300,
			Output: `{"path":"x"}`, Metrics: `{"m":1}`, AnalyzerOutput: `{"n":2}`, Warnings: `["w"]`,
			Media: `{"series":{}}`,
		},
		backoff: goldenBackoff,
	},
	"04-expire-1": &expire{ids: []store.AttemptID{{Seq: 1, Attempt: 1}, {Seq: 300, Attempt: 2}}},
	"05-reclaim-1": &reclaim{node: numbered(3), attempts: []leasedRef{{
		store.AttemptID{Seq: 300, Attempt: 2},
		goldenLease,
	}}},
	"06-time-out-1": &timeOut{ids: []store.AttemptID{{Seq: 300, Attempt: 2}}, backoff: goldenBackoff},
	"07-act-1":      &act{action: ffrtmp.Retry, seq: 300},
	"08-bulk-1": &bulk{
		seqs: []uint64{3, 300, 200}, change: ffrtmp.Change{Action: ffrtmp.Retry},
		status: ffrtmp.StatusIn(ffrtmp.Failed), node: numbered(3), before: 10, final: true,
	},
	"09-patch-1": &patch{seq: 300, queue: 0, priority: -1, maxRetries: 4, relabel: true, labels: `{"a":"b"}`},
	"10-register-1": &register{id: numbered(4), node: ffrtmp.Registration{
		NodeID: numbered(4),
		Machine: ffrtmp.Machine{
			Name:            "n",
			Address:         "n:1",
			Type:            "server",
			CPUThreads:      8,
			CPUModel:        "cpu",
			HasGPU:          true,
			GPUType:         "gpu",
			GPUCapabilities: []string{"nvenc"},
			RAMTotalBytes:   16 << 30,
			Labels: map[string]string{
				"zone": "a",
				"rack": "2",
			},
			MaxConcurrentJobs: 3,
			Encoders:          []string{"libx264", "h264_nvenc"},
			MediaRoots:        []string{"/srv/media"},
			Version:           "3.0.0",
		},
	}},
	"11-eligibility-1": &eligibility{node: numbered(3), value: ffrtmp.Draining, after: 600e9},
	"12-remove-node-1": &removeNode{node: numbered(3), force: true},
	"13-liveness-1":    &liveness{nodes: []string{numbered(3), numbered(4)}, offline: true},
	"14-progress-1": &progress{reports: []progressReport{{
		store.AttemptID{Seq: 300, Attempt: 2},
		47, `{"frame":10}`,
		epoch.UnixNano(),
	}}, nodes: []nodeSeen{{numbered(3), epoch.UnixNano() + 1}}},
	"15-create-key-1": &createKey{
		id: "0123456789abcdef", name: "encoders", scopes: "read,agent", keyKind: "session", hash: [32]byte{1, 31: 2},
		rateLimit: 50,
		expiresAt: epoch.UnixNano(),
	},
	"16-revoke-key-1": &revokeKey{id: "0123456789abcdef"},
	"17-note-1":       &note{action: "leader.transfer", target: numbered(5)},
	"18-prune-1": &prune{
		before: epoch.UnixNano(), events: epoch.UnixNano() + 1, seqs: []uint64{3, 300},
		keys: []store.RequestID{{1, 15: 2}, {3}},
	},
	"20-setting-1": &setting{Setting: Setting{
		Action: "member.remove", Target: "m1", Detail: "id=1", Key: "removed/1", Value: "{}",
	}},
	"19-import-1": &importing{
		nodes: []importedNode{{id: numbered(3), node: ffrtmp.Registration{
			Machine: ffrtmp.Machine{
				Name:            "n",
				Address:         "n",
				Type:            "laptop",
				CPUThreads:      8,
				CPUModel:        "cpu",
				HasGPU:          true,
				GPUType:         "gpu",
				GPUCapabilities: []string{"h264_nvenc"},
				RAMTotalBytes:   16 << 30,
				Labels:          map[string]string{"os": "linux"},
			},
		}, registeredAt: 1, heartbeat: 2}},
		jobs: []importedJob{
			{
				spec: spec{
					id: uuid.MustParse(numbered(1)), scenario: "4K60-h264", engine: "auto",
					requires: `{"encoder":"libx264"}`, queue: 1, priority: 1, maxRetries: 3,
				},
				seq: 300, status: 4, progress: 47, createdAt: 3, activityAt: 4, completedAt: 5, retries: 3,
				retryReason: "again",
				error:       "boom", reason: "timeout", log: "line\n",
				last: pastAttempt{
					attempt: 4, node: numbered(3), outcome: 5, startedAt: 6, endedAt: 7, error: "boom",
					reason: "timeout", metrics: `{"fps":60}`,
				},
				earlier: []pastAttempt{
					{attempt: 1, node: numbered(3), outcome: 2, startedAt: 4, endedAt: 5, error: "x"},
				},
			},
			{spec: spec{id: uuid.MustParse(numbered(2)), scenario: "720p", engine: "auto"}},
		},
	},
	"21-chunk-1": &backupPart{restore: goldenLease, n: 300, data: []byte("part")},
	"22-restore-1": &restore{
		restore: goldenLease, chunks: 301, foreign: true, cluster: numbered(5), index: 70000,
	},
	"23-placement-due-1": &placementDue{nodes: []string{numbered(3), numbered(4)}},
	"24-incident-1":      &incident{what: ffrtmp.BackupFailed, master: "m1", message: "disk full"},
	"25-check-1":         &stateCheck{from: store.Cursors{"job_spec": {"i300"}, "idempotency": {"tadmin", "tk1"}}},
}

// everything lets cmp see unexported fields.
func everything(reflect.Type) bool { return true }

// Every kind and version keeps its encoding. A golden file is never changed: a new version gets a new one.
func TestCommands_Golden(t *testing.T) {
	count := 0
	for kind, versions := range kinds {
		for v := range versions {
			count++
			prefix, suffix, found := fmt.Sprintf("%02d-", kind), fmt.Sprintf("-%d", v+1), false
			for name := range golden {
				found = found || strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix)
			}
			if !found {
				t.Errorf("kind %d version %d has no golden command", kind, v+1)
			}
		}
	}
	if count != len(golden) {
		t.Errorf("got %d golden commands, want %d", len(golden), count)
	}
	check := func(name string, env envelope, c command) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "commands", name+".hex")
			data := encodeCommand(env, c)
			if _, err := os.Stat(path); os.IsNotExist(err) && *update {
				if err := os.WriteFile(path, []byte(hex.EncodeToString(data)+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := hex.DecodeString(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(data, want) {
				t.Errorf("encoded as\n%x, want\n%x", data, want)
			}
			var decoded enveloped
			if err := decoded.decode(&decoder{b: want}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(enveloped{env, c}, decoded, cmp.Exporter(everything)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, c := range golden {
		check(name, goldenEnvelope, c)
	}
	check("envelope-bare", envelope{time: epoch.UnixNano()}, golden["16-revoke-key-1"])
	check("envelope-actor", goldenActor, golden["16-revoke-key-1"])
}

func FuzzDecodeEntry(f *testing.F) {
	var all [][]byte
	for _, c := range golden {
		data := encodeCommand(goldenEnvelope, c)
		all = append(all, data)
		f.Add(encodeEntry([][]byte{data}))
	}
	all = append(all, encodeCommand(goldenActor, golden["07-act-1"]))
	f.Add(encodeEntry(all))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := decodeEntry(data)
		if err != nil {
			return
		}
		// Encoding what was decoded gives the same command.
		again := make([][]byte, len(list))
		for i, c := range list {
			again[i] = encodeCommand(c.envelope, c.command)
		}
		if decoded, err := decodeEntry(encodeEntry(again)); err != nil {
			t.Fatal(err)
		} else if diff := cmp.Diff(list, decoded, cmp.Exporter(everything)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// An unknown command halts the FSM: skipping it would make the replicas diverge.
func TestApply_UnknownCommand(t *testing.T) {
	valid := encodeCommand(goldenEnvelope, golden["07-act-1"])
	unknownPart := bytes.Clone(valid)
	unknownPart[2+len(binary.AppendVarint(nil, goldenEnvelope.time))] |= 1 << 6
	for name, data := range map[string][]byte{
		"unknown kind":    encodeEntry([][]byte{append([]byte{99}, valid[1:]...)}),
		"unknown version": encodeEntry([][]byte{append([]byte{valid[0], 9}, valid[2:]...)}),
		"version 0":       encodeEntry([][]byte{append([]byte{valid[0], 0}, valid[2:]...)}),
		"unknown format":  {entryFormat + 1, 1},
		"format before":   {entryFormat - 1, 1},
		"unknown part":    encodeEntry([][]byte{unknownPart}),
		"empty":           {},
		"truncated":       encodeEntry([][]byte{valid[:len(valid)-1]}),
		"trailing byte":   encodeEntry([][]byte{append(bytes.Clone(valid), 0)}),
	} {
		t.Run(name, func(t *testing.T) {
			var fatal error
			dir := t.TempDir()
			c := openCluster(t, Options{
				Path: filepath.Join(dir, "master.db"), Dir: dir,
				Fatal: func(err error) { fatal = err },
			})
			c.submit()
			index, _ := c.fsm.Applied()
			answers := c.fsm.ApplyBatch([]*raft.Log{
				{Index: index + 1, Term: 1, Type: raft.LogCommand, Data: encodeEntry([][]byte{valid})},
				{Index: index + 2, Term: 1, Type: raft.LogCommand, Data: data},
			})
			if fatal == nil || len(answers) != 2 || answers[0] != nil {
				t.Fatalf("fatal error %v, answers %v", fatal, answers)
			}
			c.fsm.ApplyBatch([]*raft.Log{{
				Index: index + 3, Term: 1, Type: raft.LogCommand,
				Data: encodeEntry([][]byte{valid}),
			}})
			if got := c.fsm.Index(); got != index {
				t.Fatalf("got index %d, want it to stop before %d", got, index)
			}
		})
	}
}
