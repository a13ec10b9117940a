package ffrtmp

// Values of deinterlace and denoise.
const (
	DeinterlaceOn  = "on"  // every frame
	DeinterlaceOff = "off" // none

	DenoiseLight  = "light"
	DenoiseMedium = "medium"
	DenoiseStrong = "strong"
)

// resolveCleaning applies deinterlace and denoise, which test patterns do not need.
func resolveCleaning(e *Encoding, p Parameters) error {
	for _, c := range []struct{ name, value, without string }{
		{"deinterlace", p.Deinterlace, "auto"}, {"denoise", p.Denoise, "off"},
	} {
		if c.value != "" && c.value != c.without && p.Input == "" {
			return FieldErrorf("parameters."+c.name, "requires input")
		}
	}
	switch p.Deinterlace {
	case "", "auto":
	case DeinterlaceOn, DeinterlaceOff:
		e.Deinterlace = p.Deinterlace
	default:
		return FieldErrorf("parameters.deinterlace", "unknown value %q; use auto, on or off", p.Deinterlace)
	}
	switch p.Denoise {
	case "", "off":
	case DenoiseLight, DenoiseMedium, DenoiseStrong:
		e.Denoise = p.Denoise
	default:
		return FieldErrorf("parameters.denoise", "unknown value %q; use off, light, medium or strong", p.Denoise)
	}
	return nil
}
