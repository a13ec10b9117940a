package api

import (
	"crypto/sha256"
	"net/http"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/jsonbody"
)

const maxIdempotencyKey = 255

// idempotencyKey returns the request's key, "" when it has none.
func idempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get(ffrtmp.IdempotencyHeader)
	if key == "" || r.Method != http.MethodPost {
		return "", nil
	}
	if len(key) > maxIdempotencyKey {
		return "", ffrtmp.FieldErrorf(ffrtmp.IdempotencyHeader, "is longer than %d bytes", maxIdempotencyKey)
	}
	for _, c := range []byte(key) {
		if c < 0x20 || c > 0x7e {
			return "", ffrtmp.FieldErrorf(ffrtmp.IdempotencyHeader, "must be printable ASCII")
		}
	}
	return key, nil
}

// fingerprint is equal for two requests with the same method, path and parsed body, regardless
// of white space and the order of fields.
func fingerprint(r *http.Request, body []byte) ([sha256.Size]byte, error) {
	if len(body) > 0 {
		canonical, err := jsonbody.Canonical(body)
		if err != nil {
			return [sha256.Size]byte{}, err
		}
		body = canonical
	}
	h := sha256.New()
	h.Write([]byte(r.Method + "\x00" + r.URL.Path + "\x00"))
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil)), nil
}
