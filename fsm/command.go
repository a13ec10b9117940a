package fsm

import (
	"errors"
	"fmt"
)

// Kind numbers a command. Numbers are only ever appended: they stand in Raft
// logs on disk and are read by other versions of this program.
type Kind uint64

// The kinds of commands.
const (
	KindSubmit      Kind = 1
	KindClaim       Kind = 2
	KindResult      Kind = 3
	KindExpire      Kind = 4
	KindTakeBack    Kind = 5
	KindTimeOut     Kind = 6
	KindAct         Kind = 7
	KindCancelMany  Kind = 8
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
)

// LatestKind is the highest kind that this build can apply. Masters tell each
// other theirs, so that a new kind is proposed only when all voters know it.
const LatestKind = KindImport

// levelOrigin is version 2 of KindSubmit: what comes as a version takes a number, too,
// that no kind will have.
const levelOrigin = 20

// Level is what masters tell each other: all numbers up to it can be applied.
const Level = max(int(LatestKind), levelOrigin)

// command is a change of state. It carries every time, identity, lease and random
// number that it needs, so that every replica comes to the same state.
type command interface {
	kind() Kind
	version() uint64
	encode(*encoder)
	// apply checks, then writes. It returns a result, or a *ffrtmp.Error when the
	// command is refused; then it has written nothing.
	apply(*tx) any
}

// kinds has a decoder for each version of each kind, version 1 first.
var kinds = map[Kind][]func(*decoder) command{
	KindSubmit:      {decodeSubmit, decodeSubmit2},
	KindClaim:       {decodeClaim},
	KindResult:      {decodeResult},
	KindExpire:      {decodeExpire},
	KindTakeBack:    {decodeTakeBack},
	KindTimeOut:     {decodeTimeOut},
	KindAct:         {decodeAct},
	KindCancelMany:  {decodeCancelMany},
	KindPatch:       {decodePatch},
	KindRegister:    {decodeRegister},
	KindEligibility: {decodeEligibility},
	KindRemoveNode:  {decodeRemoveNode},
	KindLiveness:    {decodeLiveness},
	KindProgress:    {decodeProgress},
	KindCreateKey:   {decodeCreateKey},
	KindRevokeKey:   {decodeRevokeKey},
	KindNote:        {decodeNote},
	KindPrune:       {decodePrune},
	KindImport:      {decodeImport},
}

// envelope is what every command has.
type envelope struct {
	time        int64 // ns since 1970, of the proposal
	idempotency Idempotency
	actor       Actor
}

// Parts of an envelope that may be missing.
const (
	hasIdempotency = 1 << iota
	hasActor
)

// Idempotency names a request that may be repeated: of the requests with one
// principal and key, only the first one that succeeds has an effect. The zero
// value names none.
type Idempotency struct {
	Principal string
	Key       string
	Hash      [32]byte // of the parsed request; another one under the same key is a conflict
}

// An entry is one Raft log entry: a format byte, the number of commands, then
// each command with its length. A command is kind, version, envelope, payload.
const entryFormat = 1

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

var errUnknown = errors.New("this program does not know it; it may be older than the cluster's other masters")

// decodeEntry never skips what it does not know: a master that did would differ
// from the others without a sign.
func decodeEntry(data []byte) ([]enveloped, error) {
	if len(data) == 0 || data[0] != entryFormat {
		return nil, fmt.Errorf("entry format: %w", errUnknown)
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
		d.err = errors.New("is followed by something else")
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
	c.command = versions[version-1](d)
	if d.err == nil && len(d.b) > 0 {
		d.err = errors.New("is followed by something else")
	}
	if d.err != nil {
		return fmt.Errorf("kind %d version %d: %w", kind, version, d.err)
	}
	return nil
}

// first is embedded by commands of which there is one version so far.
type first struct{}

func (first) version() uint64 { return 1 }
