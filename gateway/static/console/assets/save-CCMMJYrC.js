function e(e,t){let n=document.createElement(`a`);n.href=URL.createObjectURL(new Blob([t.join(`
`),`
`],{type:`text/plain`})),n.download=e,n.click(),URL.revokeObjectURL(n.href)}export{e as t};