package api

import (
	"net/http"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// createKey creates an API key. Only this answer contains its secret. Repeating the request gives
// the same key a new secret.
func (s *Server) createKey(c *call, k *ffrtmp.NewKey) (*answer, error) {
	index, created, replayed, err := s.cfg.Proposer.CreateKey(c.Context(), c.idempotency, *k)
	if err != nil {
		return nil, err
	}
	a := &answer{status: http.StatusCreated, index: index, location: "/keys/" + created.ID}
	if replayed {
		a.status = http.StatusOK
	}
	created.Status = created.StatusAt(time.Now())
	a.body = created
	return a, nil
}

func (s *Server) listKeys(*call) (*answer, error) {
	list := ffrtmp.KeyList{Keys: s.cfg.State.Keys()}
	for i := range list.Keys {
		list.Keys[i].Status = list.Keys[i].StatusAt(time.Now())
	}
	list.Count = len(list.Keys)
	return &answer{body: list}, nil
}

func (s *Server) getKey(c *call) (*answer, error) {
	k, err := s.key(c)
	if err != nil {
		return nil, err
	}
	k.Status = k.StatusAt(time.Now())
	return &answer{body: k}, nil
}

// key returns the key that the path names.
func (s *Server) key(c *call) (ffrtmp.Key, error) {
	k, ok := s.cfg.State.Credential(c.PathValue("id"))
	if !ok {
		return ffrtmp.Key{}, ffrtmp.Errorf(ffrtmp.NotFound, "no key %q", c.PathValue("id"))
	}
	return k.Key, nil
}

// revoked is the answer to DELETE /keys/{id}.
type revoked struct {
	Status ffrtmp.KeyStatus `json:"status"`
	KeyID  string           `json:"key_id"`
}

// revokeKey revokes a key. Each master enforces it once it has applied the command.
func (s *Server) revokeKey(c *call, _ *nothing) (*answer, error) {
	known, err := s.key(c)
	if err != nil {
		return nil, err
	}
	index, k, err := s.cfg.Proposer.RevokeKey(c.Context(), known.ID)
	if err != nil {
		return nil, err
	}
	return &answer{index: index, body: revoked{ffrtmp.KeyRevoked, k.ID}}, nil
}
