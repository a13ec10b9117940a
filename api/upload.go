package api

import (
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// upload is a body that was received into a temporary file, so that it can be sent to one leader after another.
type upload struct {
	*os.File
	size int64
}

func (u *upload) reader() *io.SectionReader { return io.NewSectionReader(u.File, 0, u.size) }

// uploadPause is how long a client may send nothing of a file.
const uploadPause = 30 * time.Second

// spaceEvery is how many bytes are received between two looks at the disk.
const spaceEvery = 16 << 20

// receive reads the body of an upload, and its idempotency key.
func (s *Server) receive(w http.ResponseWriter, c *call) error {
	key, err := idempotencyKey(c.Request)
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	// The endpoint may take long after the last byte; a client that has gone ends its context.
	if err := control.SetWriteDeadline(time.Time{}); err != nil {
		return err
	}
	file, err := s.cfg.State.TemporaryFile()
	if err != nil {
		return err
	}
	hash := sha256.New()
	u := &upload{File: file}
	hash.Write([]byte(c.Method + "\x00" + c.URL.Path + "\x00"))
	if err := s.copyUpload(control, u, io.MultiWriter(file, hash), c.Body); err != nil {
		return errors.Join(err, file.Close())
	}
	c.upload = u
	if key != "" {
		c.idempotency = fsm.Idempotency{Principal: c.principal.Name, Key: key, Hash: [sha256.Size]byte(hash.Sum(nil))}
	}
	return nil
}

// copyUpload copies as long as the client sends and the disk has space.
func (s *Server) copyUpload(control *http.ResponseController, u *upload, to io.Writer, body io.Reader) error {
	checked := int64(-spaceEvery)
	buffer := make([]byte, 256<<10)
	for {
		if u.size-checked >= spaceEvery {
			if err := s.cfg.Cluster.CheckDiskSpace(); err != nil {
				return ffrtmp.Errorf(ffrtmp.InsufficientStorage, "receive a file: %w", err)
			}
			checked = u.size
		}
		if err := control.SetReadDeadline(time.Now().Add(uploadPause)); err != nil {
			return err
		}
		n, err := body.Read(buffer)
		u.size += int64(n)
		if _, err := to.Write(buffer[:n]); err != nil {
			return err
		}
		switch {
		case errors.Is(err, io.EOF):
			return control.SetReadDeadline(time.Time{})
		case errors.Is(err, os.ErrDeadlineExceeded):
			return &ffrtmp.Error{Code: ffrtmp.RequestTimeout, Message: "the body did not arrive in time", Err: err}
		case err != nil:
			return &ffrtmp.Error{Code: ffrtmp.Invalid, Message: "the body is incomplete", Err: err}
		}
	}
}
