package fsm

import (
	"errors"
	"fmt"
)

// Kind numbers a command. Numbers are append-only: they are in Raft logs on disk and are
// read by other versions of this program.
type Kind uint64

// The kinds of commands.
const (
	KindSubmit      Kind = 1
	KindClaim       Kind = 2
	KindResult      Kind = 3
	KindExpire      Kind = 4
	KindReclaim     Kind = 5
	KindTimeOut     Kind = 6
	KindAct         Kind = 7
	KindBulk        Kind = 8
	KindPatch       Kind = 9
	KindRegister    Kind = 10
	KindEligibility Kind = 11
	KindRemoveNode  Kind = 12
	KindLiveness    Kind = 13
	KindProgress    Kind = 14
	KindCreateKey   Kind = 15
	KindRevokeKey   Kind = 16
	KindNote        Kind = 17
	KindPrune       Kind = 18
	KindImport      Kind = 19
	KindSetting     Kind = 20
	KindChunk       Kind = 21
	KindRestore     Kind = 22

	KindPlacementDue Kind = 23
	KindIncident     Kind = 24
	KindCheck        Kind = 25
)

// command is a change of state. It carries every time, identity, lease and random
// number that it needs, so that every replica reaches the same state.
type command interface {
	kind() Kind
	version() uint64
	encode(*encoder)
	// apply checks, then writes. It returns a result, or a *ffrtmp.Error when the
	// command is rejected; then it has written nothing.
	apply(*tx) any
}

// commandVersion is a version of a kind.
type commandVersion struct {
	decode func(*decoder) command
	level  int // the level that a master needs to apply it
}

// kinds has the versions of each kind, version 1 first. A new version gets the next
// level.
var kinds = map[Kind][]commandVersion{
	KindSubmit:      {{decodeSubmit, 1}},
	KindClaim:       {{decodeClaim, 1}},
	KindResult:      {{decodeResult, 1}},
	KindExpire:      {{decodeExpire, 1}},
	KindReclaim:     {{decodeReclaim, 1}},
	KindTimeOut:     {{decodeTimeOut, 1}},
	KindAct:         {{decodeAct, 1}},
	KindBulk:        {{decodeBulk, 1}},
	KindPatch:       {{decodePatch, 1}},
	KindRegister:    {{decodeRegister, 1}},
	KindEligibility: {{decodeEligibility, 1}},
	KindRemoveNode:  {{decodeRemoveNode, 1}},
	KindLiveness:    {{decodeLiveness, 1}},
	KindProgress:    {{decodeProgress, 1}},
	KindCreateKey:   {{decodeCreateKey, 1}},
	KindRevokeKey:   {{decodeRevokeKey, 1}},
	KindNote:        {{decodeNote, 1}},
	KindPrune:       {{decodePrune, 1}},
	KindImport:      {{decodeImport, 1}},
	KindSetting:     {{decodeSetting, 1}},
	KindChunk:       {{decodeBackupPart, 1}},
	KindRestore:     {{decodeRestore, 1}},

	KindPlacementDue: {{decodePlacementDue, 1}},
	KindIncident:     {{decodeIncident, 1}},
	KindCheck:        {{decodeCheck, 1}},
}

// envelope is what every command has.
type envelope struct {
	time        int64 // ns since 1970, of the proposal
	idempotency Idempotency
	actor       Actor
}

// Optional parts of an envelope.
const (
	hasIdempotency = 1 << iota
	hasActor
)

// Idempotency identifies a request that may be repeated: of the requests with one
// principal and key, only the first success has an effect. The zero value is none.
type Idempotency struct {
	Principal string
	Key       string
	Hash      [32]byte // of the parsed request; a different one under the same key is a conflict
}

// An entry is one Raft log entry: a format byte, the number of commands, then
// each command with its length. A command is kind, version, envelope, payload.
const entryFormat = 2 // 1 was that of development versions

func encodeCommand(env envelope, c command) []byte {
	e := encoder{b: make([]byte, 0, 256)}
	e.uint(uint64(c.kind()))
	e.uint(c.version())
	e.int(env.time)
	parts := uint64(0)
	if env.idempotency.Key != "" {
		parts |= hasIdempotency
	}
	if env.actor.Principal != "" {
		parts |= hasActor
	}
	e.uint(parts)
	if parts&hasIdempotency != 0 {
		e.string(env.idempotency.Principal)
		e.string(env.idempotency.Key)
		e.fixed(env.idempotency.Hash[:])
	}
	if parts&hasActor != 0 {
		e.string(env.actor.Principal)
		e.string(env.actor.Source)
		e.string(env.actor.RequestID)
	}
	c.encode(&e)
	return e.b
}

func encodeEntry(commands [][]byte) []byte {
	size := 16
	for _, c := range commands {
		size += len(c) + 4
	}
	e := encoder{b: make([]byte, 0, size)}
	e.b = append(e.b, entryFormat)
	e.uint(uint64(len(commands)))
	for _, c := range commands {
		e.bytes(c)
	}
	return e.b
}

// enveloped is a decoded command.
type enveloped struct {
	envelope
	command command
}

var errTrailing = errors.New("trailing bytes")

var errUnknown = errors.New("written by another version of this program; this one cannot read it")

// decodeEntry never skips an unknown command: the master would silently diverge from
// the others.
func decodeEntry(data []byte) ([]enveloped, error) {
	if len(data) == 0 || data[0] != entryFormat {
		return nil, fmt.Errorf("entry of %d bytes with an unknown format: %w", len(data), errUnknown)
	}
	d := decoder{b: data[1:]}
	list := make([]enveloped, d.count(4))
	var inner decoder
	for i := range list {
		inner.b = d.view()
		if err := list[i].decode(&inner); err != nil {
			return nil, fmt.Errorf("command %d of %d: %w", i+1, len(list), err)
		}
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = errTrailing
	}
	if d.err != nil {
		return nil, fmt.Errorf("entry: %w", d.err)
	}
	return list, nil
}

// decode reads a command that takes all of d.
func (c *enveloped) decode(d *decoder) error {
	kind, version := Kind(d.uint()), d.uint()
	if d.err != nil {
		return d.err
	}
	versions, ok := kinds[kind]
	if !ok {
		return fmt.Errorf("kind %d: %w", kind, errUnknown)
	}
	if version == 0 || version > uint64(len(versions)) {
		return fmt.Errorf("kind %d version %d: %w", kind, version, errUnknown)
	}
	c.time = d.int()
	parts := d.uint()
	if parts&^(hasIdempotency|hasActor) != 0 {
		return fmt.Errorf("kind %d, envelope %#x: %w", kind, parts, errUnknown)
	}
	if parts&hasIdempotency != 0 {
		c.idempotency.Principal = d.string()
		c.idempotency.Key = d.string()
		d.fixed(c.idempotency.Hash[:])
	}
	if parts&hasActor != 0 {
		c.actor = Actor{Principal: d.string(), Source: d.string(), RequestID: d.string()}
	}
	if parts&hasIdempotency != 0 && c.idempotency.Key == "" || parts&hasActor != 0 && c.actor.Principal == "" {
		d.fail()
	}
	c.command = versions[version-1].decode(d)
	if d.err == nil && len(d.b) > 0 {
		d.err = errTrailing
	}
	if d.err != nil {
		return fmt.Errorf("kind %d version %d: %w", kind, version, d.err)
	}
	return nil
}

// v1 is embedded by commands in version 1 of their kind.
type v1 struct{}

func (v1) version() uint64 { return 1 }
