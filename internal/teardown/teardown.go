// Package teardown closes what was opened, in reverse order, when opening fails half-way and when all of it ends.
package teardown

import (
	"context"
	"errors"
	"slices"
)

// Stack is a list of closing functions. The zero value is empty and ready to use; it is not safe for concurrent use.
type Stack struct{ functions []func(context.Context) error }

// Push adds a function that Close calls before those pushed earlier.
func (s *Stack) Push(f func(context.Context) error) { s.functions = append(s.functions, f) }

// PushClose adds a function that needs no context.
func (s *Stack) PushClose(f func() error) { s.Push(func(context.Context) error { return f() }) }

// Close calls all functions, last to first, also where some fail, and returns their errors. The stack is empty then.
func (s *Stack) Close(ctx context.Context) error {
	functions := s.functions
	s.functions = nil
	var errs []error
	for _, f := range slices.Backward(functions) {
		errs = append(errs, f(ctx))
	}
	return errors.Join(errs...)
}
