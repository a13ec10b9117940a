// Package client is generated from the OpenAPI document, and compiled, by make openapi: the document is fit for
// generators. Programs in Go use package client of the module ffrtmp instead.
package client
