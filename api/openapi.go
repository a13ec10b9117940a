package api

import _ "embed"

// openapiDocument is the reference of this API.
//
//go:embed openapi.yaml
var openapiDocument []byte

// documentType is the media type of openapiDocument.
const documentType = "application/yaml"

func (s *Server) openapi(*call) (*answer, error) {
	return &answer{document: openapiDocument}, nil
}
