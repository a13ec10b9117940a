package fsm

import (
	"errors"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// note2 is a future version of the command note.
type note2 struct{ note }

func (*note2) version() uint64       { return 2 }
func decodeNote2(d *decoder) command { return &note2{*decodeNote(d).(*note)} }
func (c *note2) encode(e *encoder)   { c.note.encode(e) }
func newer(t *testing.T, do func()) {
	t.Helper()
	old := kinds[KindNote]
	kinds[KindNote] = append(old[:1:1], commandVersion{decodeNote2, Level + 1})
	defer func() { kinds[KindNote] = old }()
	do()
}

// A command is rejected until every master can apply it.
func TestProposer_Level(t *testing.T) {
	c := newCluster(t)
	level := Level
	c.Proposer.opts.Level = func() int { return level }
	newer(t, func() {
		ctx := WithActor(t.Context(), Actor{Principal: "p"})
		_, _, err := propose[audited](ctx, c.Proposer, Idempotency{}, &note2{note{action: "a"}})
		wantCode(t, err, ffrtmp.Conflict)
		if len(c.entries) != 0 {
			t.Fatalf("got %d entries, want none", len(c.entries))
		}
		if _, err := c.Note(ctx, "version", "1"); err != nil {
			t.Errorf("a version that every master knows was refused: %v", err)
		}
		level = Level + 1
		if _, _, err := propose[audited](ctx, c.Proposer, Idempotency{}, &note2{note{
			action: "version",
			target: "2",
		}}); err != nil {
			t.Fatal(err)
		}
		if got := c.audit(ffrtmp.AuditPage{}); len(got) != 2 {
			t.Errorf("got %+v, want 2 records", got)
		}
	})
}

// An unknown version is an error, not skipped.
func TestDecodeEntry_UnknownVersion(t *testing.T) {
	data := encodeEntry([][]byte{encodeCommand(goldenEnvelope, &note2{})})
	if _, err := decodeEntry(data); !errors.Is(err, errUnknown) {
		t.Errorf("got %v, want %v", err, errUnknown)
	}
	newer(t, func() {
		if list, err := decodeEntry(data); err != nil || list[0].command.version() != 2 {
			t.Errorf("got %+v and %v, want version 2", list, err)
		}
	})
}

// Every version of every kind has a level, and the highest is this build's.
func TestKinds_Levels(t *testing.T) {
	highest := 0
	for kind, versions := range kinds {
		for i, v := range versions {
			if v.level < 1 || i > 0 && v.level < versions[i-1].level {
				t.Errorf("kind %d version %d has level %d", kind, i+1, v.level)
			}
			highest = max(highest, v.level)
		}
	}
	if highest != Level {
		t.Errorf("got level %d, want %d", Level, highest)
	}
}
