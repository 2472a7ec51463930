//! Python's pickle format, read as data: nothing is imported and nothing is called.
//!
//! The objects lie in one list and refer to each other by number. That keeps shared and cyclic
//! objects as they are in Python, and lets no nesting of a hostile file exhaust the stack.

use std::collections::HashMap;

use super::source::Fault;

/// Number of an object in [`Objects`].
pub(super) type Id = usize;

/// One Python object.
#[derive(Debug)]
pub(super) enum Object {
    Int(i64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// A `dict`, `OrderedDict` or `defaultdict`.
    Dict(Vec<(Id, Id)>),
    /// A class or function, as `module.name`.
    Global(String),
    /// A call whose result is not known.
    Call {
        callable: Id,
        args: Id,
    },
    /// Something that lies outside of the pickle: the storage of a tensor.
    Persistent(Id),
    /// Anything else: `None`, booleans, floats, bytes, long integers, sets.
    Other,
}

/// All objects of a pickle.
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: Vec<Object>,
}

impl Objects {
    pub(super) fn get(&self, id: Id) -> &Object {
        self.all.get(id).unwrap_or(&Object::Other)
    }

    /// The entries of a dictionary whose keys are texts.
    pub(super) fn entries(&self, id: Id) -> Option<impl Iterator<Item = (&str, Id)>> {
        let Object::Dict(items) = self.get(id) else {
            return None;
        };
        Some(items.iter().filter_map(|&(key, value)| match self.get(key) {
            Object::Text(key) => Some((key.as_str(), value)),
            _ => None,
        }))
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::Tuple(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn global(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Global(name) => Some(name),
            _ => None,
        }
    }

    /// A number that counts something.
    pub(super) fn count(&self, id: Id) -> Option<usize> {
        match *self.get(id) {
            Object::Int(value) => usize::try_from(value).ok(),
            _ => None,
        }
    }

    /// A tuple (or list) of such numbers.
    pub(super) fn counts(&self, id: Id) -> Option<Vec<usize>> {
        match self.get(id) {
            Object::Tuple(items) | Object::List(items) => {
                items.iter().map(|&item| self.count(item)).collect()
            }
            _ => None,
        }
    }

    fn push(&mut self, object: Object) -> Id {
        self.all.push(object);
        self.all.len() - 1
    }
}

/// Reads a pickle: its objects and the number of the outermost one.
pub(super) fn read(bytes: &[u8]) -> Result<(Objects, Id), Fault> {
    let mut machine = Machine { input: bytes, ..Machine::default() };
    loop {
        let code = machine.byte()?;
        if code == b'.' {
            let root = machine.pop()?;
            return Ok((machine.objects, root));
        }
        machine.step(code)?;
    }
}

/// The stack machine that a pickle is a program for.
#[derive(Debug, Default)]
struct Machine<'a> {
    input: &'a [u8],
    objects: Objects,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl<'a> Machine<'a> {
    /// Executes one instruction.
    fn step(&mut self, code: u8) -> Result<(), Fault> {
        match code {
            // PROTO, FRAME
            0x80 => self.skip(1)?,
            0x95 => self.skip(8)?,
            // MARK, POP, POP_MARK, DUP
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => self.stack.push(self.top()?),
            // NONE, NEWTRUE, NEWFALSE, BINFLOAT
            b'N' | 0x88 | 0x89 => self.push(Object::Other),
            b'G' => self.opaque(8)?,
            // BININT, BININT1, BININT2, LONG1, LONG4
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Object::Int(i64::from(value)));
            }
            b'K' => {
                let value = self.byte()?;
                self.push(Object::Int(i64::from(value)));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Object::Int(i64::from(value)));
            }
            0x8a => {
                let len = usize::from(self.byte()?);
                self.long(len)?;
            }
            0x8b => {
                let len = self.len4()?;
                self.long(len)?;
            }
            // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8, BINSTRING, SHORT_BINSTRING
            b'X' | b'T' => {
                let len = self.len4()?;
                self.text(len)?;
            }
            0x8c | b'U' => {
                let len = usize::from(self.byte()?);
                self.text(len)?;
            }
            0x8d => {
                let len = self.len8()?;
                self.text(len)?;
            }
            // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
            b'B' => {
                let len = self.len4()?;
                self.opaque(len)?;
            }
            b'C' => {
                let len = usize::from(self.byte()?);
                self.opaque(len)?;
            }
            0x8e | 0x96 => {
                let len = self.len8()?;
                self.opaque(len)?;
            }
            // Sequences, dictionaries and sets.
            b')' => self.push(Object::Tuple(Vec::new())),
            b'@'..=b'Z' | b']'..=b'}' | 0x81..=0x94 => self.combine(code)?,
            _ => return Err(unknown(code)),
        }
        Ok(())
    }

    /// Executes an instruction that puts objects together.
    fn combine(&mut self, code: u8) -> Result<(), Fault> {
        match code {
            // EMPTY_LIST, EMPTY_DICT, EMPTY_SET
            b']' => self.push(Object::List(Vec::new())),
            b'}' => self.push(Object::Dict(Vec::new())),
            0x8f => self.push(Object::Other),
            // TUPLE, TUPLE1, TUPLE2, TUPLE3, LIST, DICT, FROZENSET
            b't' => {
                let items = self.pop_mark()?;
                self.push(Object::Tuple(items));
            }
            0x85..=0x87 => {
                let start = self.stack.len().checked_sub(usize::from(code - 0x84));
                let start = start.ok_or_else(underflow)?;
                let items = self.stack.split_off(start);
                self.push(Object::Tuple(items));
            }
            b'l' => {
                let items = self.pop_mark()?;
                self.push(Object::List(items));
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Object::Dict(pairs(&items)));
            }
            0x91 => {
                self.pop_mark()?;
                self.push(Object::Other);
            }
            // APPEND, APPENDS, SETITEM, SETITEMS, ADDITEMS
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' | b'u' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend(&[key, value])?;
            }
            // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
            b'q' => {
                let at = usize::from(self.byte()?);
                self.remember(at)?;
            }
            b'r' => {
                let at = self.len4()?;
                self.remember(at)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'h' => {
                let at = usize::from(self.byte()?);
                self.recall(at)?;
            }
            b'j' => {
                let at = self.len4()?;
                self.recall(at)?;
            }
            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.push(Object::Global(name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let part = |id| self.objects.text(id).unwrap_or("?");
                let name = format!("{}.{}", part(module), part(name));
                self.push(Object::Global(name));
            }
            // REDUCE and NEWOBJ, NEWOBJ_EX, BUILD, BINPERSID
            b'R' | 0x81 => {
                let args = self.pop()?;
                let callable = self.pop()?;
                self.call(callable, args);
            }
            0x92 => {
                let (_, args) = (self.pop()?, self.pop()?);
                let callable = self.pop()?;
                self.call(callable, args);
            }
            b'b' => drop(self.pop()?),
            b'Q' => {
                let id = self.pop()?;
                self.push(Object::Persistent(id));
            }
            _ => return Err(unknown(code)),
        }
        Ok(())
    }

    /// Puts the result of a call on the stack.
    fn call(&mut self, callable: Id, args: Id) {
        let dict = matches!(
            self.objects.global(callable),
            Some("collections.OrderedDict" | "collections.defaultdict")
        );
        let object = if dict { Object::Dict(Vec::new()) } else { Object::Call { callable, args } };
        self.push(object);
    }

    /// Adds items to the list or dictionary on top of the stack; other containers stay opaque.
    fn extend(&mut self, items: &[Id]) -> Result<(), Fault> {
        let top = self.top()?;
        match self.objects.all.get_mut(top) {
            Some(Object::List(list)) => list.extend_from_slice(items),
            Some(Object::Dict(dict)) => dict.extend(pairs(items)),
            _ => {}
        }
        Ok(())
    }

    fn remember(&mut self, at: usize) -> Result<(), Fault> {
        let top = self.top()?;
        self.memo.insert(at, top);
        Ok(())
    }

    fn recall(&mut self, at: usize) -> Result<(), Fault> {
        let found = self.memo.get(&at).copied();
        self.stack.push(found.ok_or_else(|| Fault::corrupt("its pickle recalls nothing"))?);
        Ok(())
    }

    fn push(&mut self, object: Object) {
        let id = self.objects.push(object);
        self.stack.push(id);
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn top(&self) -> Result<Id, Fault> {
        self.stack.last().copied().ok_or_else(underflow)
    }

    /// Takes everything above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or_else(underflow)?))
    }

    fn long(&mut self, len: usize) -> Result<(), Fault> {
        let bytes = self.take(len)?;
        let mut wide = [if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 }; 8];
        let fits = len <= wide.len();
        if let (true, Some(low)) = (fits, wide.get_mut(..len)) {
            low.copy_from_slice(bytes);
        }
        self.push(if fits { Object::Int(i64::from_le_bytes(wide)) } else { Object::Other });
        Ok(())
    }

    fn text(&mut self, len: usize) -> Result<(), Fault> {
        let text = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.push(Object::Text(text));
        Ok(())
    }

    fn opaque(&mut self, len: usize) -> Result<(), Fault> {
        self.skip(len)?;
        self.push(Object::Other);
        Ok(())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let split = self.input.split_at_checked(len);
        let (taken, rest) = split.ok_or_else(|| Fault::corrupt("its pickle ends too early"))?;
        self.input = rest;
        Ok(taken)
    }

    fn skip(&mut self, len: usize) -> Result<(), Fault> {
        self.take(len).map(drop)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N)?.first_chunk::<N>().copied();
        bytes.ok_or_else(|| Fault::corrupt("its pickle ends too early"))
    }

    fn len4(&mut self) -> Result<usize, Fault> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn len8(&mut self) -> Result<usize, Fault> {
        let len = u64::from_le_bytes(self.array()?);
        usize::try_from(len).map_err(|_| Fault::corrupt("its pickle ends too early"))
    }

    fn line(&mut self) -> Result<&'a str, Fault> {
        let end = self.input.iter().position(|&byte| byte == b'\n');
        let line = self.take(end.ok_or_else(|| Fault::corrupt("its pickle ends too early"))?)?;
        self.skip(1)?;
        std::str::from_utf8(line).map_err(|_| Fault::corrupt("its pickle has a wrong name"))
    }
}

/// Keys and values in turn.
fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

fn underflow() -> Fault {
    Fault::corrupt("its pickle takes from an empty stack")
}

fn unknown(code: u8) -> Fault {
    Fault::Unsupported(format!("the pickle instruction {code:#04x}"))
}
