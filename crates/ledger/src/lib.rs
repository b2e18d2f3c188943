//! What the mesh agrees on: its genesis, as the mesh spec.
//!
//! A [`spec::MeshSpec`] says what a mesh is; the hash of its canonical form is the mesh id. Whoever
//! holds the same spec joins the same mesh, and a signature made on one mesh is worth nothing on another.
//! [`economics`] holds the rules of emission, prices and places as integer functions.

pub mod economics;
pub mod spec;
