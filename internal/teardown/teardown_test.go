package teardown

import (
	"context"
	"errors"
	"testing"
)

func TestStack_Close(t *testing.T) {
	var s Stack
	var order string
	first, third := errors.New("first"), errors.New("third")
	s.PushClose(func() error { order += "1"; return first })
	s.Push(func(context.Context) error { order += "2"; return nil })
	s.PushClose(func() error { order += "3"; return third })
	err := s.Close(t.Context())
	if !errors.Is(err, first) || !errors.Is(err, third) || order != "321" {
		t.Errorf("got %v in order %s, want both errors in order 321", err, order)
	}
	if err := s.Close(t.Context()); err != nil || order != "321" {
		t.Errorf("second close: got %v, order %s", err, order)
	}
}
