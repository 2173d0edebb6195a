module github.com/discountd/discountd

go 1.26
