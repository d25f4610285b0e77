"""Files with tests, in many languages, and definitions of checks."""

PYTHON = """
    import pytest

    def test_doubles():
        assert double(2) == 4
        assert double(3) == 6

    def test_halves():
        with pytest.raises(ValueError):
            halve("x")
"""
JEST = """
    import { double } from "../src/double";

    describe("double", () => {
      it("doubles", () => {
        expect(double(2)).toBe(4);
      });

      it("refuses words", () => {
        expect(() => double("x")).toThrow(TypeError);
      });
    });
"""
GO = """
    package widgets

    func TestDouble(t *testing.T) {
    \tif got := Double(2); got != 4 {
    \t\tt.Errorf("got %d", got)
    \t}
    }

    func TestHalve(t *testing.T) {
    \trequire.Equal(t, 2, Halve(4))
    }
"""
RUST = """
    pub fn double(n: u32) -> u32 { n * 2 }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn doubles() {
            assert_eq!(double(2), 4);
        }

        #[tokio::test]
        async fn halves() {
            assert_eq!(halve(4), 2);
        }
    }
"""
JAVA = """
    class WidgetTest {
        @Test
        void doubles() {
            assertEquals(4, Widget.doubled(2));
        }

        @Test
        @DisplayName("halves")
        public void halves() {
            assertThat(Widget.halved(4)).isEqualTo(2);
        }

        private void helper() {}
    }
"""
RSPEC = """
    RSpec.describe Widget do
      it "doubles" do
        expect(described_class.double(2)).to eq(4)
      end

      it 'halves' do
        expect(described_class.halve(4)).to eq(2)
      end
    end
"""
CSHARP = """
    public class WidgetTests {
        [Fact]
        public void Doubles() {
            Assert.Equal(4, Widget.Double(2));
        }

        [Theory]
        [InlineData(4)]
        public async Task Halves(int n) {
            Assert.Equal(2, Widget.Halve(n));
        }
    }
"""
PHP = """
    class WidgetTest extends TestCase {
        public function testDoubles(): void {
            $this->assertSame(4, double(2));
        }
        public function testHalves(): void {
            $this->assertSame(2, halve(4));
        }
    }
"""
ELIXIR = """
    defmodule WidgetTest do
      use ExUnit.Case
      test "doubles" do
        assert double(2) == 4
      end
      test "halves" do
        assert halve(4) == 2
      end
    end
"""
KOTLIN = """
    class WidgetTest {
        @Test
        fun `doubles numbers`() {
            assertEquals(4, double(2))
        }
        @ParameterizedTest
        fun halves() {
            assertEquals(2, halve(4))
        }
    }
"""
BATS = """
    @test "doubles" {
      run double 2
      [ "$output" = 4 ]
    }
    @test "halves" {
      run halve 4
      [ "$output" = 2 ]
    }
"""
MAKEFILE = """
    PYTEST ?= pytest
    VERSION := 1

    .PHONY: test
    test: build
    \t$(PYTEST) -q

    build:
    \t./build.sh

    docs:
    \tsphinx
"""
PACKAGE = """
    {"name": "w", "version": "1.0.0",
     "scripts": {"test": "npm run unit", "unit": "jest", "build": "tsc"},
     "dependencies": {"a": "1"}}
"""
PYPROJECT = """
    [project]
    name = "w"
    dependencies = ["a"]
    [tool.pytest.ini_options]
    addopts = "-q"
"""
