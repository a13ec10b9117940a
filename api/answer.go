package api

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// answer is what an endpoint returns. Server.write encodes it.
type answer struct {
	status   int    // 0: 200
	index    uint64 // of a write; 0: that of the state before it was read
	location string
	header   http.Header // besides those that every answer has
	body     any
	stream   func(ctx context.Context, w *flushWriter) error // instead of body
	document []byte                                          // instead of body
	backup   *fsm.Backup                                     // instead of body
	file     *outputFile                                     // instead of body

	streamType string // media type of stream; "": plain text
}

// write encodes what serveHere returned.
func (s *Server) write(w http.ResponseWriter, c *call, a *answer, err error) {
	s.setHeaders(w.Header())
	if err != nil {
		if describe(err).Code == ffrtmp.Internal {
			s.cfg.Logger.Error("request failed", "request_id", c.id, "route", c.endpoint.pattern, "error", err, "cause",
				errors.Unwrap(err))
		}
		writeError(w, err)
		return
	}
	if a.index != 0 {
		w.Header().Set(ffrtmp.IndexHeader, strconv.FormatUint(a.index, 10))
	}
	maps.Copy(w.Header(), a.header)
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	switch {
	case a.stream != nil:
		s.stream(w, c, a)
		return
	case a.backup != nil:
		s.sendBackup(w, c, a.backup)
		return
	case a.file != nil:
		s.sendOutput(w, c, a.file)
		return
	case a.document != nil:
		w.Header().Set("Content-Type", documentType)
		w.Write(a.document)
		return
	}
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	writeJSON(w, status, a.body)
}

// writeJSON answers with a JSON document. An error of the connection is ignored: the client
// is gone.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(
			`{"error":"the answer cannot be encoded","code":"internal","status":500}`)
	}
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
