/** CSS stays in files, because the content security policy refuses style elements that scripts write. */
export default {
  compilerOptions: { css: "external", runes: true },
};
