package ui

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A part that many ask for is made once for all of them, never by what was known before they asked, and at most once an
// interval.
func TestSharing_Once(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing
		made := 0
		do := func(context.Context) (*answer, error) {
			made++
			time.Sleep(10 * time.Millisecond)
			return &answer{status: made}, nil
		}
		ask := func(want int) func() {
			return func() {
				if a, err := s.get(t.Context(), "key", do); err != nil || a.status != want {
					t.Errorf("got %+v, %v, want part %d", a, err, want)
				}
			}
		}
		start := time.Now()
		var visitors sync.WaitGroup
		visitors.Go(ask(1))
		synctest.Wait()
		for range 200 { // while it is made
			visitors.Go(ask(2))
		}
		visitors.Wait()
		if took := time.Since(start); made != 2 || took < shareInterval || took > 2*shareInterval {
			t.Errorf("got %d parts in %s, want 2 in one interval", made, took)
		}
	})
}

// A part that takes long is made seldom.
func TestSharing_Pause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing
		var begun []time.Time
		do := func(context.Context) (*answer, error) {
			begun = append(begun, time.Now())
			time.Sleep(100 * time.Millisecond)
			return &answer{status: http.StatusOK}, nil
		}
		for range 2 {
			if _, err := s.get(t.Context(), "key", do); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := begun[1].Sub(begun[0]), 2*time.Second; got != want {
			t.Errorf("got a pause of %s, want %s", got, want)
		}
	})
}

// The visitor who makes a part may leave: others get it.
func TestSharing_MakerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing
		do := func(ctx context.Context) (*answer, error) { return &answer{status: http.StatusOK}, ctx.Err() }
		if _, err := s.get(t.Context(), "key", do); err != nil {
			t.Fatal(err)
		}
		leaving, leave := context.WithCancel(t.Context())
		var visitors sync.WaitGroup
		visitors.Go(func() { _, _ = s.get(leaving, "key", do) })
		synctest.Wait()
		leave()
		if a, err := s.get(t.Context(), "key", do); err != nil || a.status != http.StatusOK {
			t.Errorf("got %+v, %v, want the part", a, err)
		}
		visitors.Wait()
	})
}

// Parts that nobody asks for any more are forgotten.
func TestSharing_Bounded(t *testing.T) {
	var s sharing
	for i := range 3 * maxShared {
		s.join(time.Duration(i).String())
	}
	if got := len(s.parts); got > maxShared {
		t.Errorf("got %d parts, want at most %d", got, maxShared)
	}
}
