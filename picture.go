package ffrtmp

import (
	"regexp"
	"slices"
)

// Fits are the values of the fit parameter: what happens when the source has another shape than the resolution.
const (
	FitInside  = "inside"  // smaller in one direction
	FitPad     = "pad"     // inside, with bars
	FitCrop    = "crop"    // the sides are cut off
	FitStretch = "stretch" // distorted
)

// Rect is a part of a picture, in pixels.
type Rect struct{ Width, Height, X, Y int }

var (
	rectForm  = regexp.MustCompile(`^(\d{1,5}):(\d{1,5}):(\d{1,5}):(\d{1,5})$`)
	colorForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
)

// colors are the names that pad_color accepts.
var colors = []string{"black", "white", "gray", "red", "green", "blue", "yellow", "cyan", "magenta"}

// resolveFit applies fit, pad_color and crop_rect. A fit other than inside makes the scenario's size exact.
func resolveFit(e *Encoding, p Parameters) error {
	switch p.Fit {
	case "", FitInside:
	case FitPad, FitCrop, FitStretch:
		e.Fit, e.ExactSize = p.Fit, true
	default:
		return FieldErrorf("parameters.fit", "unknown value %q; use inside, pad, crop or stretch", p.Fit)
	}
	switch {
	case p.PadColor == "":
	case p.Fit != FitPad:
		return FieldErrorf("parameters.pad_color", "requires fit pad")
	case !colorForm.MatchString(p.PadColor) && !slices.Contains(colors, p.PadColor):
		return FieldErrorf("parameters.pad_color", "%q is not #RRGGBB or one of %v", p.PadColor, colors)
	}
	e.PadColor = p.PadColor
	return resolveCrop(e, p)
}

func resolveCrop(e *Encoding, p Parameters) error {
	if p.CropRect == "" {
		return nil
	}
	m := rectForm.FindStringSubmatch(p.CropRect)
	if m == nil {
		return FieldErrorf("parameters.crop_rect", "%q is not WIDTH:HEIGHT:X:Y, such as 1920:800:0:140", p.CropRect)
	}
	e.Crop = &Rect{Width: atoi(m[1]), Height: atoi(m[2]), X: atoi(m[3]), Y: atoi(m[4])}
	if min(e.Crop.Width, e.Crop.Height) < 16 {
		return FieldErrorf("parameters.crop_rect", "width and height must be at least 16")
	}
	return nil
}

// resolveHDR applies hdr. Players show HDR in HEVC, VP9 and AV1.
func resolveHDR(e *Encoding, p Parameters) error {
	switch p.HDR {
	case "", "tonemap":
		return nil
	case "keep":
	default:
		return FieldErrorf("parameters.hdr", "unknown value %q; use tonemap or keep", p.HDR)
	}
	if hardwareEncoder(e.Encoder) || CodecOf(e.Encoder) == "h264" || e.Mode == ToRTMP {
		return FieldErrorf("parameters.hdr", "keep requires codec hevc, vp9 or av1 and a software encoder, not %s",
			e.Encoder)
	}
	e.KeepHDR = true
	return nil
}
