package flags

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// Bytes is the value of a flag that says how much, such as 512MiB. It is a pflag.Value.
type Bytes uint64

// String implements pflag.Value.
func (b *Bytes) String() string { return humanize.IBytes(uint64(*b)) }

// Set implements pflag.Value.
func (b *Bytes) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil {
		return fmt.Errorf("%q is not an amount such as 512MiB", text)
	}
	*b = Bytes(n)
	return nil
}

// Type implements pflag.Value.
func (b *Bytes) Type() string { return "bytes" }
