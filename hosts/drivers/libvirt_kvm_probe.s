# Source of CODE in libvirt_kvm_probe.py: as -o p.o libvirt_kvm_probe.s && ld -Ttext 0 --oformat binary -o p.bin p.o
# 4 KiB at physical 0xFFFFF000 / 0xFF000 (alias). org 0xF000 in segment 0xF000.
.code16
.org 0
start:
  cli
  lgdtl %cs:(0xF000 + gdtr)
  movl %cr0,%eax
  orl $1,%eax
  movl %eax,%cr0
  ljmpl $0x08,$(0xFF000+prot)
.code32
prot:
  movw $0x10,%ax
  movw %ax,%ds
  movw %ax,%es
  movw %ax,%ss
  movl $0x8000,%esp
  pushfl
  pushl $0x08
  pushl $(0xFF000+back)
  iretl
back:
  # page tables: 0x1000 pml4, 0x2000 pdpt, 0x3000 pd with one 2 MiB page
  movl $0x1000,%edi
  xorl %eax,%eax
  movl $0xC00,%ecx
  cld
  rep stosl
  movl $0x2003,0x1000
  movl $0x3003,0x2000
  movl $0x83,0x3000
  movl %cr4,%eax
  orl $0x620,%eax        # PAE, OSFXSR, OSXMMEXCPT
  movl %eax,%cr4
  movl $0x1000,%eax
  movl %eax,%cr3
  movl $0xC0000080,%ecx
  rdmsr
  orl $0x100,%eax
  wrmsr
  movl %cr0,%eax
  orl $0x80000000,%eax
  andl $0xFFFFFFF3,%eax
  movl %eax,%cr0
  ljmpl $0x18,$(0xFF000+long)
.code64
long:
  movabsq $0x0123456789abcdef,%rax
  movq %rax,%xmm0
  movq %xmm0,%rbx
  cmpq %rax,%rbx
  jne bad
  movl $0,%eax
  lock cmpxchgl %ebx,0x7000
  pushfq
  popq %rdx
  subq $8,%rsp
  movl $0x10,%eax
  movw %ax,%ss
  movq %rsp,%rcx
  pushq $0x10
  pushq %rcx
  pushfq
  pushq $0x18
  leaq again(%rip),%rcx
  pushq %rcx
  iretq
again:
  movb $0x10,%al
  outb %al,$0xf4
bad:
  hlt
  jmp bad
.balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
  .quad 0x00af9b000000ffff
gdtr:
  .word 31
  .long 0xFF000+gdt
.org 0xff0
.code16
  ljmpw $0xF000,$0xF000
.org 0x1000
