/* `tp.Recent`: a map of what was used last, up to a size: what was not used for longest goes first.
 *
 *   new tp.Recent(160)                                     at most 160 entries
 *   new tp.Recent(64 << 20, (frame) => frame.bytes.length)   at most 64 MiB together
 */
(() => {
  "use strict";

  /** @extends {Map<any, any>} */
  class Recent extends Map {
    /** @param {number} most @param {(value: any) => number} sizeOf  how much of `most` a value takes */
    constructor(most, sizeOf = () => 1) {
      super();
      this.most = most;
      this.sizeOf = sizeOf;
      this.total = 0;
    }

    /** @param {any} key @returns {any} */
    get(key) {
      const value = super.get(key);
      if (super.delete(key)) super.set(key, value); // now the newest
      return value;
    }

    /** The entry itself stays, however large it is.
     *
     * @param {any} key @param {any} value */
    set(key, value) {
      this.delete(key);
      super.set(key, value);
      this.total += this.sizeOf(value);
      for (const old of this.keys()) {
        if (this.total <= this.most || old === key) break;
        this.delete(old);
      }
      return this;
    }

    /** @param {any} key */
    delete(key) {
      if (this.has(key)) this.total -= this.sizeOf(super.get(key));
      return super.delete(key);
    }

    clear() {
      super.clear();
      this.total = 0;
    }
  }

  window.tp.Recent = Recent;
})();
