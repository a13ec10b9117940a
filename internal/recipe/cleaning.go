package recipe

import "github.com/ffrtmp/ffrtmp"

// deinterlacer makes one frame of two fields. RGB is never interlaced.
func deinterlacer(e ffrtmp.Encoding, c color) []string {
	switch {
	case c.rgb || e.Deinterlace == ffrtmp.DeinterlaceOff:
		return nil
	case e.Deinterlace == ffrtmp.DeinterlaceOn:
		return []string{"bwdif=mode=send_frame:deint=all"}
	}
	return []string{"bwdif=mode=send_frame:deint=interlaced"} // frames that are flagged so
}

// denoiser removes noise from the scaled picture: in space and, twice as strong, over time.
func denoiser(e ffrtmp.Encoding) []string {
	switch e.Denoise {
	case ffrtmp.DenoiseLight:
		return []string{"hqdn3d=2:1.5:3:2.25"}
	case ffrtmp.DenoiseMedium:
		return []string{"hqdn3d=4:3:6:4.5"}
	case ffrtmp.DenoiseStrong:
		return []string{"hqdn3d=8:6:12:9"}
	}
	return nil
}
