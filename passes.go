package ffrtmp

// resolvePasses applies two_pass.
func (e *Encoding) resolvePasses(q EncoderQuality, p Parameters) error {
	const field = "parameters.two_pass"
	switch {
	case !p.TwoPass:
		return nil
	case !q.TwoPass:
		return q.missing("two_pass")
	case e.CRF != nil:
		return FieldErrorf(field, "excludes crf; set bitrate")
	case e.Bitrate == "":
		return FieldErrorf(field, "requires bitrate")
	case e.Mode == ToRTMP:
		return FieldErrorf(field, "a stream is encoded once; use output_mode file")
	case LiveInput(e.Input):
		return FieldErrorf(field, "a live input can be read only once")
	}
	e.TwoPass = true
	return nil
}

func passesParameter() Parameter {
	return about("two_pass", "boolean", videoKind, `true`,
		"encode twice, so that the output meets bitrate with the best picture; for files").
		defaults("false").with(`{"bitrate":"2500k"}`).byEncoder(func(q EncoderQuality) *ParameterRange {
		if !q.TwoPass {
			return nil
		}
		return &ParameterRange{}
	})
}
