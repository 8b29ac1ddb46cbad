//go:build poison

package nic

const poison = true
