package api

import (
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
)

var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,128}$`)

// requestID returns the client's own id if it is safe in a log line, else a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get(ffrtmp.RequestIDHeader); saneRequestID.MatchString(id) {
		return id
	}
	return uuid.NewString()
}
