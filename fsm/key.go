package fsm

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// key is an API key with the hash of its secret.
type key struct {
	ffrtmp.Key // Status is filled in when it is shown
	hash       [32]byte
}

// ended is when the key expires or was revoked; 0: never.
func (k *key) ended() int64 {
	ended := int64(0)
	for _, at := range []time.Time{k.ExpiresAt, k.RevokedAt} {
		if !at.IsZero() && (ended == 0 || at.UnixNano() < ended) {
			ended = at.UnixNano()
		}
	}
	return ended
}

var selectKeys = store.Prepared(`SELECT id, name, scopes, hash, rate_limit, created_at, created_by, expires_at,
	revoked_at, kind FROM api_key ORDER BY id`)

func (s *state) loadKeys() error {
	row := make([]driver.Value, 10)
	return s.DB.Each(row, func() error {
		k := &key{}
		k.ID, k.Name, k.Scopes = store.Text(row[0]), store.Text(row[1]), scopes(store.Text(row[2]))
		copy(k.hash[:], row[3].([]byte))
		k.RateLimit, k.CreatedBy = int(row[4].(int64)), store.Text(row[6])
		k.CreatedAt, k.ExpiresAt, k.RevokedAt = store.TimeOf(row[5].(int64)), store.TimeOf(row[7].(int64)),
			store.TimeOf(row[8].(int64))
		k.Kind = ffrtmp.KeyKind(store.Text(row[9]))
		s.keys[k.ID] = k
		return nil
	}, selectKeys)
}

// scopes parses the scopes of a key. An unknown scope is kept and allows nothing.
func scopes(list string) (l []ffrtmp.Scope) {
	for s := range strings.SplitSeq(list, ",") {
		l = append(l, ffrtmp.Scope(s))
	}
	return l
}

// createKey creates an API key.
type createKey struct {
	v1
	id, name, scopes string
	keyKind          string   // of a session
	hash             [32]byte // SHA-256 of the secret
	rateLimit        int64
	expiresAt        int64
}

func (*createKey) kind() Kind { return KindCreateKey }

func (c *createKey) encode(e *encoder) {
	e.texts(c.id, c.name, c.scopes, c.keyKind)
	e.fixed(c.hash[:])
	e.int(c.rateLimit)
	e.int(c.expiresAt)
}

func decodeCreateKey(d *decoder) command {
	c := &createKey{id: d.string(), name: d.string(), scopes: d.string(), keyKind: d.string()}
	d.fixed(c.hash[:])
	c.rateLimit = d.int()
	c.expiresAt = d.int()
	return c
}

// withKey is the result of a command about a key.
type withKey struct {
	key      ffrtmp.Key
	replayed bool
}

var (
	insertKey = store.Prepared(`INSERT INTO api_key (id, name, scopes, hash, rate_limit, created_at, created_by,
	expires_at, revoked_at, kind)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`)
	updateKeyHash  = store.Prepared(`UPDATE api_key SET hash = ? WHERE id = ?`)
	updateKeyEnded = store.Prepared(`UPDATE api_key SET revoked_at = ? WHERE id = ?`)
	deleteAPIKey   = store.Prepared(`DELETE FROM api_key WHERE id = ?`)
)

func (c *createKey) apply(t *tx) any {
	if _, exists := t.keys[c.id]; exists {
		return ffrtmp.Errorf(ffrtmp.Conflict, "key %s already exists", c.id)
	}
	createdBy := t.actor.Principal
	if c.keyKind != "" {
		var err error
		if createdBy, err = t.admitSession(createdBy); err != nil {
			return err
		}
	}
	forgotten := t.forgottenKeys()
	if len(t.keys)-len(forgotten) >= ffrtmp.MaxKeys {
		return ffrtmp.Errorf(ffrtmp.Conflict,
			"limit of %d keys reached; keys are removed %s after they expire or are revoked", ffrtmp.MaxKeys,
			ffrtmp.KeyKept)
	}
	for _, id := range forgotten {
		t.removeKey(id)
	}
	k := &key{hash: c.hash, Key: ffrtmp.Key{
		ID: c.id, Name: c.name, Kind: ffrtmp.KeyKind(c.keyKind), Scopes: scopes(c.scopes), RateLimit: int(c.rateLimit),
		CreatedAt: store.TimeOf(t.now), CreatedBy: createdBy, ExpiresAt: store.TimeOf(c.expiresAt),
	}}
	t.keys[k.ID], t.rekeyed = k, true
	t.exec(insertKey, k.ID, k.Name, c.scopes, k.hash[:], c.rateLimit, t.now, k.CreatedBy, c.expiresAt,
		c.keyKind)
	return withKey{key: k.Key}
}

// forgottenKeys returns the keys that ended so long ago that they are no longer listed.
func (t *tx) forgottenKeys() []string {
	var ids []string
	for id, k := range t.keys {
		keep := ffrtmp.KeyKept
		if k.Kind != "" {
			keep = ffrtmp.SessionKept
		}
		if ended := k.ended(); ended != 0 && ended < t.now-int64(keep) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (t *tx) removeKey(id string) {
	delete(t.keys, id)
	t.rekeyed = true
	t.exec(deleteAPIKey, id)
}

// replay sets a new secret for the key that this request created: the response with the
// first one may have been lost, and it is not stored.
func (c *createKey) replay(t *tx, _ kept) any {
	k, ok := t.keys[c.id]
	if !ok || !k.RevokedAt.IsZero() {
		return ffrtmp.Errorf(ffrtmp.Conflict, "key %s, made by this request, is revoked", c.id)
	}
	k.hash, t.rekeyed = c.hash, true
	t.exec(updateKeyHash, k.hash[:], k.ID)
	return withKey{key: k.Key, replayed: true}
}

func (c *createKey) audit(*tx) entry {
	limit, expires := "", ""
	if c.rateLimit != 0 {
		limit = strconv.FormatInt(c.rateLimit, 10)
	}
	if c.expiresAt != 0 {
		expires = store.TimeOf(c.expiresAt).Format(time.RFC3339)
	}
	return entry{"key.create", c.id, details("kind", c.keyKind, "scopes", c.scopes, "rate_limit", limit,
		"expires_at", expires, "name", c.name)}
}

// revokeKey revokes an API key.
type revokeKey struct {
	v1
	id string
}

func (*revokeKey) kind() Kind            { return KindRevokeKey }
func (c *revokeKey) encode(e *encoder)   { e.string(c.id) }
func decodeRevokeKey(d *decoder) command { return &revokeKey{id: d.string()} }

func (c *revokeKey) apply(t *tx) any {
	k, ok := t.keys[c.id]
	if !ok {
		return ffrtmp.Errorf(ffrtmp.NotFound, "no key %q", c.id)
	}
	t.revoke(k)
	for _, session := range t.sessionsOf(c.id) {
		t.revoke(session)
	}
	return withKey{key: k.Key}
}

func (t *tx) revoke(k *key) {
	if k.RevokedAt.IsZero() {
		k.RevokedAt, t.rekeyed = store.TimeOf(t.now), true
		t.exec(updateKeyEnded, t.now, k.ID)
	}
}

func (c *revokeKey) audit(t *tx) entry {
	name := ""
	if k, ok := t.keys[c.id]; ok {
		name = k.Name
	}
	return entry{"key.revoke", c.id, details("name", name)}
}

// keyIDBytes is the length of a random key id.
const keyIDBytes = 8

// CreateKey creates an API key and returns its secret, which is not stored. With an
// idempotency key the id is derived from it, so that a repeated request finds the
// same API key; it sets a new secret, because the first may not have arrived.
func (p *Proposer) CreateKey(ctx context.Context, id Idempotency, k ffrtmp.NewKey) (index uint64,
	created ffrtmp.CreatedKey, replayed bool, err error,
) {
	return p.createKey(ctx, id, k, "")
}

func (p *Proposer) createKey(ctx context.Context, id Idempotency, k ffrtmp.NewKey, kind ffrtmp.KeyKind) (index uint64,
	created ffrtmp.CreatedKey, replayed bool, err error,
) {
	now := p.opts.Now()
	expires := k.ExpiresAt.Time
	if k.ExpiresIn != 0 {
		expires = now.Add(time.Duration(k.ExpiresIn))
	}
	if !expires.IsZero() && (!expires.After(now) || expires.Sub(now) > ffrtmp.MaxKeyLife) {
		return 0, created, false, ffrtmp.FieldErrorf("expires_at", "must be in the future, by at most %s; it is now %s",
			ffrtmp.MaxKeyLife, now.UTC().Format(time.RFC3339))
	}
	var random [keyIDBytes + 32]byte
	if _, err := io.ReadFull(p.opts.Rand, random[:]); err != nil {
		return 0, created, false, fmt.Errorf("generate key: %w", err)
	}
	name, secret := random[:keyIDBytes], base64.RawURLEncoding.EncodeToString(random[keyIDBytes:])
	if id.Key != "" {
		sum := sha256.Sum256([]byte("key\x00" + id.Principal + "\x00" + id.Key))
		name = sum[:keyIDBytes]
	}
	c := &createKey{
		id: hex.EncodeToString(name), name: k.Name, keyKind: string(kind), scopes: ffrtmp.JoinScopes(k.Scopes, ","),
		hash: sha256.Sum256([]byte(secret)), rateLimit: int64(k.RateLimit),
	}
	if !expires.IsZero() {
		c.expiresAt = expires.UnixNano()
	}
	index, done, err := propose[withKey](ctx, p, id, c)
	return index, ffrtmp.CreatedKey{Key: done.key, Secret: c.id + "." + secret}, done.replayed, err
}

// RevokeKey revokes an API key. Revoking it again has no effect.
func (p *Proposer) RevokeKey(ctx context.Context, id string) (uint64, ffrtmp.Key, error) {
	index, done, err := propose[withKey](ctx, p, Idempotency{}, &revokeKey{id: id})
	return index, done.key, err
}
