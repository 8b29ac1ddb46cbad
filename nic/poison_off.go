//go:build !poison

package nic

// poison is on in builds with the tag of that name.
const poison = false
